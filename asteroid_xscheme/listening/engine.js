"use strict";
// The sound of a mixer: short encoded chunks, decoded shortly before they are played.
//
// A song is {sample_rate, channels, rows, scenes, tracks, regions}. Positions are samples. A track
// belongs to a scene (sources, mixture, references ...) and to a row (a source), or to no row. All
// tracks of a piece start at the same sample of one AudioContext with the song's own rate, so they
// stay aligned. At most two decoded chunks per track are in memory.

const AHEAD = 3; // seconds to schedule in advance
const FADE = 0.008; // seconds, to avoid clicks

const coded = new Map(); // base64 by key, from script files next to the page
function mixerAudio(key, text) {
  coded.set(key, text);
}

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// A page opened from disk cannot fetch files, but it can load scripts.
function loadScript(url) {
  return new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => done(script.remove());
    script.onerror = () => fail(new Error(`The file ${decodeURIComponent(url)} is missing: keep it next to this page.`));
    document.head.append(script);
  });
}

async function textOf(chunk) {
  if (chunk.url) {
    if (!coded.has(chunk.key)) await loadScript(chunk.url);
    const text = coded.get(chunk.key);
    coded.delete(chunk.key);
    return text;
  }
  for (;;) {
    const element = document.getElementById(chunk.key);
    const whole = document.readyState !== "loading";
    if (element && (element.nextSibling || whole)) return element.textContent;
    if (whole) throw new Error("This page is incomplete: a part of the sound is missing.");
    await sleep(0.1);
  }
}

function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

class Engine {
  // gainOf(track) returns a gain; onfail(error) shows an error; loop is null or [first, last].
  constructor(song, gainOf, onfail) {
    this.song = song;
    this.gainOf = gainOf;
    this.onfail = onfail;
    this.loop = null;
    this.master = 1;
    this.region = 0; // index of the region to play
    this.here = song.regions[0][0];
    this.run = null;
    this.decoded = new Map();
  }

  get span() {
    return this.song.regions[this.region];
  }

  graph(context) {
    const master = context.createGain();
    master.connect(context.destination);
    const gains = this.song.tracks.map((track) => {
      const gain = context.createGain();
      gain.gain.value = this.gainOf(track);
      gain.connect(master);
      return gain;
    });
    return { context, master, gains, nodes: new Set() };
  }

  buffer(context, chunk) {
    if (!this.decoded.has(chunk.key)) {
      const buffer = textOf(chunk).then((text) => context.decodeAudioData(bytesOf(text).buffer));
      this.decoded.set(chunk.key, buffer);
    }
    return this.decoded.get(chunk.key);
  }

  // The sound of all tracks from a sample up to the next boundary of a chunk.
  async piece(context, sample, end) {
    const found = [];
    this.song.tracks.forEach((track, index) =>
      track.chunks.forEach((chunk) => {
        const last = chunk.at + chunk.length;
        if (chunk.region !== this.region) return;
        if (chunk.at <= sample && sample < last) {
          found.push([index, chunk]);
          end = Math.min(end, last);
        } else if (sample < chunk.at) end = Math.min(end, chunk.at);
      })
    );
    const buffers = await Promise.all(found.map(([, chunk]) => this.buffer(context, chunk)));
    const parts = found.map(([track, chunk], i) => ({ track, chunk, buffer: buffers[i] }));
    return { sample, length: end - sample, parts };
  }

  start(graph, piece, frame) {
    const rate = this.song.sample_rate;
    for (const { track, chunk, buffer } of piece.parts) {
      const node = graph.context.createBufferSource();
      node.buffer = buffer;
      node.connect(graph.gains[track]);
      const when = [frame / rate, (piece.sample - chunk.at) / rate];
      const isCut = piece.sample + piece.length < chunk.at + chunk.length;
      node.start(...when, ...(isCut ? [piece.length / rate] : []));
      graph.nodes.add(node);
      node.onended = () => graph.nodes.delete(node);
    }
  }

  get isPlaying() {
    return this.run !== null;
  }

  // The sample that is playing now.
  position() {
    const run = this.run;
    if (!run || !run.segments.length) return this.here;
    const context = run.graph.context;
    const now = (context.currentTime - (context.outputLatency || 0)) * this.song.sample_rate;
    while (run.segments.length > 1 && run.segments[1].frame <= now) run.segments.shift();
    const { frame, sample, length } = run.segments[0];
    if (run.ended && now >= frame + length) this.stop(this.span[0]);
    else this.here = sample + Math.max(0, Math.min(length - 1, Math.floor(now - frame)));
    return this.here;
  }

  async play(from) {
    const start = from === undefined ? this.position() : from;
    this.stop(start);
    try {
      const rate = this.song.sample_rate;
      this.context = this.context || new AudioContext({ sampleRate: rate });
      const graph = this.graph(this.context);
      graph.master.gain.value = 0;
      const run = { graph, segments: [], next: start, frame: null, ended: false };
      this.run = run;
      await this.context.resume();
      await this.pump(run);
    } catch (error) {
      this.stop(start);
      this.onfail(error);
    }
  }

  async pump(run) {
    const { graph } = run;
    const rate = this.song.sample_rate;
    while (this.run === run && !run.ended) {
      if (run.frame !== null && run.frame / rate > graph.context.currentTime + AHEAD) {
        await sleep(0.2);
        continue;
      }
      const loops = this.loop && run.next < this.loop[1];
      const end = loops ? this.loop[1] : this.span[1];
      const piece = await this.piece(graph.context, run.next, end);
      if (this.run !== run) return;
      const soonest = Math.ceil((graph.context.currentTime + 0.05) * rate);
      if (run.frame === null) this.fade(graph, soonest / rate, this.master);
      run.frame = Math.max(run.frame || 0, soonest); // a late chunk delays all tracks
      this.start(graph, piece, run.frame);
      run.segments.push({ frame: run.frame, sample: run.next, length: piece.length });
      run.frame += piece.length;
      run.next += piece.length;
      this.forget(piece);
      if (run.next >= end) {
        if (loops) run.next = this.loop[0];
        else run.ended = true;
      }
    }
  }

  fade(graph, when, gain) {
    graph.master.gain.setValueAtTime(graph.master.gain.value, when);
    graph.master.gain.linearRampToValueAtTime(gain, when + FADE);
  }

  // Drop decoded chunks, except those of the last two pieces.
  forget(piece) {
    const keys = piece.parts.map((part) => part.chunk.key);
    const kept = new Set([...keys, ...(this.recent || [])]);
    this.recent = keys;
    for (const key of this.decoded.keys()) if (!kept.has(key)) this.decoded.delete(key);
  }

  stop(at) {
    const run = this.run;
    if (run) {
      if (at === undefined) at = this.position();
      const { context, nodes } = run.graph;
      this.fade(run.graph, context.currentTime, 0);
      nodes.forEach((node) => node.stop(context.currentTime + FADE));
      this.run = null;
    }
    if (at !== undefined) this.here = at;
  }

  // Apply the user's changes to gains.
  update() {
    if (!this.run) return;
    const { context, gains, master } = this.run.graph;
    const follow = (param, value) => param.setTargetAtTime(value, context.currentTime, FADE);
    this.song.tracks.forEach((track, i) => follow(gains[i].gain, this.gainOf(track)));
    if (this.run.frame !== null) follow(master.gain, this.master);
  }

  // Render the sound between two samples to an AudioBuffer, without playing it.
  async render(first, last) {
    const { channels, sample_rate: rate } = this.song;
    const context = new OfflineAudioContext(channels, last - first, rate);
    const graph = this.graph(context);
    graph.master.gain.value = this.master;
    for (let sample = first; sample < last; ) {
      const piece = await this.piece(context, sample, last);
      this.start(graph, piece, sample - first);
      sample += piece.length;
    }
    return context.startRendering();
  }
}
