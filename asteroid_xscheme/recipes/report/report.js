"use strict";
// One player for the page. Buttons are links to the sounds, so that the page works without it.
const bar = document.getElementById("player");
const audio = bar.querySelector("audio");
let current = null;

function songOf(link) {
  return link.closest(".song");
}

function play(link, at) {
  const url = link.getAttribute("href");
  const wasHere = current && songOf(current) && songOf(current) === songOf(link);
  const start = at !== null ? at : wasHere ? audio.currentTime : 0;
  if (current) current.classList.remove("now");
  current = link;
  link.classList.add("now");
  bar.hidden = false;
  bar.querySelector("span").textContent = link.dataset.words || link.textContent;
  if (audio.getAttribute("src") !== url) audio.setAttribute("src", url);
  const begin = () => {
    audio.currentTime = Math.min(start, Math.max(0, audio.duration - 0.1 || start));
    audio.play();
  };
  if (audio.readyState >= 1) begin();
  else {
    audio.addEventListener("loadedmetadata", begin, { once: true });
    audio.load();
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.play");
  if (link) {
    event.preventDefault();
    const at = Number(link.dataset.at);
    play(link, at > 0 ? at : null);
    return;
  }
  const drawing = event.target.closest(".time svg");
  if (drawing) playSecond(drawing, event);
});

// A click into SDR over time: go on with the sound that plays, or the mixture, at that second.
function playSecond(drawing, event) {
  const box = drawing.getBoundingClientRect();
  const left = Number(drawing.dataset.left);
  const right = 1 - 8 / 360;
  const share = ((event.clientX - box.left) / box.width - left) / (right - left);
  const second = share * Number(drawing.dataset.seconds);
  const [first, last] = drawing.closest(".time").dataset.excerpt.split(" ").map(Number);
  const song = songOf(drawing);
  const sameSong = current && songOf(current) === song && !(Number(current.dataset.at) > 0);
  const link = sameSong ? current : song.querySelector("a.play");
  if (second >= first && second < last) play(link, Math.max(0.001, second - first));
  else if (second >= 0 && link.nextElementSibling && link.nextElementSibling.matches(".whole"))
    window.open(link.nextElementSibling.getAttribute("href") + "#t=" + second.toFixed(1));
}

document.querySelectorAll('a[href^="#t"]').forEach((link) =>
  link.addEventListener("click", () => {
    const song = document.getElementById(link.getAttribute("href").slice(1));
    if (song) song.open = true;
  })
);
