"use strict";
// Elements and drawings of a mixer.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function button(words, label, action) {
  const element = make("button", { type: "button", "aria-label": label, title: label }, words);
  element.addEventListener("click", action);
  return element;
}

function slider(label, action) {
  const options = { type: "range", min: 0, max: 1.5, step: 0.01, value: 1, "aria-label": label };
  const element = make("input", { ...options, title: label });
  element.addEventListener("input", () => action(Number(element.value)));
  return element;
}

function clock(seconds, digits = 0) {
  const rest = Math.max(0, seconds);
  const text = (rest % 60).toFixed(digits);
  if (text.startsWith("60")) return clock(Math.round(rest), digits);
  return `${Math.floor(rest / 60)}:${text.padStart(digits ? 3 + digits : 2, "0")}`;
}

function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return { pen, width, height };
}

function drawWave(canvas, track, engine, song) {
  const region = engine.span;
  const { pen, width, height } = sized(canvas);
  pen.fillStyle = getComputedStyle(canvas).getPropertyValue("--c");
  const perPixel = (region[1] - region[0]) / width / song.samples_per_peak;
  const chunks = track ? track.chunks.filter((chunk) => chunk.region === engine.region) : [];
  for (const chunk of chunks) {
    chunk.heights = chunk.heights || bytesOf(chunk.peaks);
    const start = (chunk.at - region[0]) / song.samples_per_peak;
    for (let x = 0; x < width; x++) {
      const first = Math.floor(x * perPixel - start);
      const last = Math.max(first + 1, Math.ceil((x + 1) * perPixel - start));
      if (last <= 0 || first >= chunk.heights.length) continue;
      const peak = Math.max(...chunk.heights.subarray(Math.max(0, first), last)) / 255;
      const half = Math.max(0.5, (peak ** 0.7 * height) / 2); // makes quiet parts visible
      pen.fillRect(x, height / 2 - half, 1, 2 * half);
    }
  }
}

function drawRuler(canvas, [first, last], rate) {
  const { pen, width, height } = sized(canvas);
  const seconds = (last - first) / rate;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];
  const step = steps.find((each) => (each * width) / seconds >= 56) || 3600;
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.font = "11px system-ui, sans-serif";
  for (let t = Math.ceil(first / rate / step) * step; t <= last / rate; t += step) {
    const x = ((t * rate - first) / (last - first)) * width;
    pen.fillRect(Math.min(x, width - 1), height - 5, 1, 5);
    const half = pen.measureText(clock(t)).width / 2;
    pen.textAlign = "center";
    pen.fillText(clock(t), Math.min(Math.max(x, half), width - half), height - 8);
  }
}
