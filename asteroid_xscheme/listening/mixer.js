"use strict";
// The view of a mixer: a row per source, one playhead, scenes to compare.
//
// Volume, mute and solo belong to a row and persist when the scene changes, so that a source can be
// compared between scenes at the same position.

const STEP = 5; // seconds per press of an arrow key
const SHORTEST_LOOP = 0.25; // seconds

class Mixer {
  constructor(root, song) {
    this.root = root;
    this.song = song;
    this.scene = song.scene || 0;
    this.rows = song.rows.map((name) => ({ name, volume: 1, mute: false, solo: false }));
    this.engine = new Engine(song, (track) => this.gainOf(track), (error) => this.say(error.message));
    this.build();
    new ResizeObserver(() => this.draw()).observe(this.lanes);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.show();
  }

  gainOf(track) {
    const scene = this.song.scenes[this.scene];
    const isSum = scene.sum_of !== null;
    if (track.scene !== (isSum ? scene.sum_of : this.scene)) return 0;
    if (isSum || track.row === null) return 1;
    return this.hears(this.rows[track.row]) ? this.rows[track.row].volume : 0;
  }

  hears(row) {
    return this.rows.some((each) => each.solo) ? row.solo : !row.mute;
  }

  get region() {
    return this.engine.span;
  }

  build() {
    this.root.classList.add("mixer");
    this.playButton = button("", "Play", () => this.toggle());
    this.playButton.classList.add("play-button");
    this.time = make("output", { class: "time", "aria-live": "off" });
    this.sceneButtons = this.song.scenes.map((scene, i) =>
      button(scene.name, `Listen to: ${scene.name}`, () => this.choose(i))
    );
    const rate = this.song.sample_rate;
    this.regionButtons = this.song.regions.map(([first, last], i) =>
      button(`${clock(first / rate)} – ${clock(last / rate)}`, "Show this part", () => this.enter(i))
    );
    this.loopButtons = [
      button("⇤ from here", "Start the loop here (key [)", () => this.mark(0)),
      button("to here ⇥", "End the loop here (key ])", () => this.mark(1)),
      button("✕ loop", "Remove the loop (key L)", () => this.setLoop(null)),
    ];
    const master = slider("Master volume", (value) => {
      this.engine.master = value;
      this.engine.update();
    });
    const bar = make("div", { class: "bar" }, this.playButton, this.time);
    bar.append(make("span", { class: "scenes", role: "group", "aria-label": "What to listen to" }, ...this.sceneButtons));
    if (this.regionButtons.length > 1)
      bar.append(make("span", { class: "regions", role: "group", "aria-label": "Part" }, ...this.regionButtons));
    bar.append(make("span", { class: "loops", role: "group", "aria-label": "Loop" }, ...this.loopButtons));
    bar.append(make("label", { class: "master" }, "volume ", master));
    this.message = make("p", { class: "message", role: "alert", hidden: "" });
    this.lanes = make("div", { class: "lanes" });
    this.ruler = make("canvas", { class: "ruler", role: "slider", tabindex: 0, "aria-label": "Position" });
    this.lanes.append(make("span", { class: "head corner" }), this.ruler);
    this.rows.forEach((row, i) => this.lanes.append(...this.buildRow(row, i)));
    this.overlay = make("div", { class: "overlay", style: `grid-row: 1 / span ${this.rows.length + 1}` });
    this.marked = make("div", { class: "marked" });
    this.playhead = make("div", { class: "playhead" });
    this.overlay.append(this.marked, this.playhead);
    this.lanes.append(this.overlay);
    this.root.append(bar, this.message, this.lanes);
    this.listen();
  }

  buildRow(row, i) {
    const words = make("b", {}, row.name);
    if (this.song.notes[i]) words.append(make("small", {}, ` ${this.song.notes[i]}`));
    const key = i < 9 ? ` (key ${i + 1})` : "";
    const shift = i < 9 ? ` (Shift and ${i + 1})` : "";
    row.muteButton = button("M", `Mute ${row.name}${shift}`, () => this.flip(row, "mute"));
    row.soloButton = button("S", `Solo ${row.name}${key}`, () => this.flip(row, "solo"));
    const volume = slider(`Volume of ${row.name}`, (value) => {
      row.volume = value;
      this.engine.update();
    });
    const controls = make("span", { class: "controls" }, row.muteButton, row.soloButton, volume);
    row.head = make("div", { class: `head c${i % 8}`, style: `grid-row: ${i + 2}`, role: "group", "aria-label": row.name }, words, controls);
    row.canvas = make("canvas", { class: `wave c${i % 8}`, style: `grid-row: ${i + 2}`, "aria-hidden": "true" });
    return [row.head, row.canvas];
  }

  listen() {
    let from = null;
    const sampleAt = (event) => {
      const box = this.ruler.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      return Math.round(this.region[0] + share * (this.region[1] - this.region[0]));
    };
    this.root.addEventListener("pointerdown", (event) => {
      Mixer.active = this;
      if (!event.target.matches("canvas") || event.button) return;
      from = [event.clientX, sampleAt(event)];
      event.target.setPointerCapture(event.pointerId);
    });
    this.root.addEventListener("pointermove", (event) => {
      if (from && Math.abs(event.clientX - from[0]) > 6) {
        const ends = [from[1], sampleAt(event)].sort((a, b) => a - b);
        this.preview = ends;
        this.show();
      }
    });
    this.root.addEventListener("pointerup", (event) => {
      if (!from) return;
      if (this.preview) this.setLoop(this.preview);
      else this.seek(sampleAt(event));
      from = this.preview = null;
    });
    this.root.addEventListener("pointercancel", () => (from = this.preview = null));
  }

  toggle() {
    Mixer.active = this;
    if (this.engine.isPlaying) this.engine.stop();
    else this.start();
    this.show();
  }

  start(sample) {
    Mixer.all.forEach((other) => other !== this && other.engine.stop());
    this.say("");
    this.engine.play(sample).then(() => this.show());
    this.follow();
  }

  // Go to a sample; if the song is playing, continue there.
  seek(sample) {
    const wanted = Math.min(Math.max(sample, this.region[0]), this.region[1] - 1);
    if (this.engine.isPlaying) this.start(wanted);
    else this.engine.here = wanted;
    this.show();
  }

  enter(region) {
    this.engine.stop();
    this.engine.loop = null;
    this.engine.region = region;
    this.engine.here = this.region[0];
    this.draw();
  }

  // Play from a second of the song in a region; if a row is given, solo it.
  playAt(region, second, scene = this.scene, row = null) {
    Mixer.active = this;
    this.enter(region);
    if (row !== null) this.rows.forEach((each, i) => (each.solo = i === row));
    this.scene = scene;
    this.start(Math.min(Math.round(second * this.song.sample_rate), this.region[1] - 1));
    this.draw();
  }

  choose(scene) {
    this.scene = scene;
    this.engine.update();
    this.draw();
  }

  flip(row, what) {
    row[what] = !row[what];
    this.engine.update();
    this.draw();
  }

  mark(end) {
    const ends = this.engine.loop ? [...this.engine.loop] : [...this.region];
    ends[end] = this.engine.position();
    this.setLoop(ends[0] < ends[1] ? ends : end ? [this.region[0], ends[1]] : [ends[0], this.region[1]]);
  }

  setLoop(ends) {
    const shortest = SHORTEST_LOOP * this.song.sample_rate;
    this.engine.loop = ends && ends[1] - ends[0] >= shortest ? ends : null;
    const loop = this.engine.loop;
    const here = this.engine.position();
    const start = loop && (here < loop[0] || here >= loop[1]) ? loop[0] : here;
    if (this.engine.isPlaying) this.start(start);
    else this.engine.here = start;
    this.show();
  }

  say(words) {
    this.message.textContent = words;
    this.message.hidden = !words;
  }

  press(event) {
    const number = /^Digit([0-9])$/.exec(event.code);
    const row = number && this.rows[Number(number[1]) - 1];
    const rate = this.song.sample_rate;
    const keys = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.engine.position() - STEP * rate),
      ArrowRight: () => this.seek(this.engine.position() + STEP * rate),
      ArrowUp: () => this.choose((this.scene + this.song.scenes.length - 1) % this.song.scenes.length),
      ArrowDown: () => this.choose((this.scene + 1) % this.song.scenes.length),
      Home: () => this.seek(this.region[0]),
      "[": () => this.mark(0),
      "]": () => this.mark(1),
      l: () => this.setLoop(null),
    };
    if (row) this.flip(row, event.shiftKey ? "mute" : "solo");
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  }

  follow() {
    cancelAnimationFrame(this.request);
    const step = () => {
      this.show();
      if (this.engine.isPlaying) this.request = requestAnimationFrame(step);
    };
    step();
  }

  // Update everything that changes while the song plays.
  show() {
    const rate = this.song.sample_rate;
    const [first, last] = this.region;
    const here = this.engine.position();
    const share = (sample) => `${(100 * (sample - first)) / (last - first)}%`;
    const isPlaying = this.engine.isPlaying;
    this.playButton.classList.toggle("on", isPlaying);
    this.playButton.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    this.playButton.title = `${isPlaying ? "Pause" : "Play"} (space)`;
    this.time.textContent = `${clock(here / rate, 1)} / ${clock(last / rate)}`;
    this.playhead.style.left = share(here);
    const part = this.preview || this.engine.loop;
    this.marked.hidden = !part;
    if (part) {
      this.marked.style.left = share(part[0]);
      this.marked.style.width = `${(100 * (part[1] - part[0])) / (last - first)}%`;
    }
    this.loopButtons[2].disabled = !this.engine.loop;
    const values = { min: first / rate, max: last / rate, now: here / rate };
    for (const [name, value] of Object.entries(values))
      this.ruler.setAttribute(`aria-value${name}`, value.toFixed(1));
    this.ruler.setAttribute("aria-valuetext", clock(here / rate));
  }

  draw() {
    const scene = this.song.scenes[this.scene];
    const shown = scene.sum_of === null ? this.scene : scene.sum_of;
    const whole = this.song.tracks.find((track) => track.scene === shown && track.row === null);
    this.sceneButtons.forEach((each, i) => each.setAttribute("aria-pressed", i === this.scene));
    this.regionButtons.forEach((each, i) => each.setAttribute("aria-pressed", i === this.engine.region));
    this.rows.forEach((row, i) => {
      const track = this.song.tracks.find((each) => each.scene === shown && each.row === i);
      const isHeard = whole || scene.sum_of !== null ? true : track && this.hears(row);
      row.muteButton.setAttribute("aria-pressed", row.mute);
      row.soloButton.setAttribute("aria-pressed", row.solo);
      row.head.classList.toggle("bypassed", Boolean(whole) || scene.sum_of !== null);
      row.canvas.classList.toggle("silent", !isHeard);
      drawWave(row.canvas, track || whole, this.engine, this.song);
    });
    drawRuler(this.ruler, this.region, this.song.sample_rate);
    this.show();
  }
}
Mixer.all = [];
Mixer.active = null;

// Make a mixer of each element that names the description of a song.
function startMixers() {
  for (const root of document.querySelectorAll("[data-mixer]:not(.mixer)")) {
    const song = JSON.parse(document.getElementById(root.dataset.mixer).textContent);
    root.mixer = new Mixer(root, song);
    Mixer.all.push(root.mixer);
  }
  if (Mixer.all.length === 1) Mixer.active = Mixer.all[0];
}

document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (!Mixer.active || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("input, select, textarea, summary, a") && /^( |Arrow|Home|Enter)/.test(event.key)) return;
  if (event.key === " " && target.matches("button:focus-visible")) return;
  Mixer.active.press(event);
});
