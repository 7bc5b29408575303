// Links and drawings that play a place of a song, by the song's mixer.
startMixers();

function mixerOf(song) {
  const root = song.querySelector(".mixer");
  return root && root.mixer;
}

// A link says region, second, scene and row; a second click on it stops.
function playLink(link) {
  const song = document.querySelector(link.hash);
  const wasPlaying = link.classList.contains("now") && mixerOf(song).engine.isPlaying;
  document.querySelectorAll(".play.now").forEach((each) => each.classList.remove("now"));
  if (wasPlaying) {
    mixerOf(song).toggle();
    return;
  }
  link.classList.add("now");
  song.open = true;
  mixerOf(song).playAt(...link.dataset.place.split(" ").map(Number));
}

// A click into SDR over time plays that second; outside of the excerpt, in the whole file.
function playSecond(drawing, event) {
  const box = drawing.getBoundingClientRect();
  const left = Number(drawing.dataset.left);
  const right = 1 - 8 / 360;
  const share = ((event.clientX - box.left) / box.width - left) / (right - left);
  const second = share * Number(drawing.dataset.seconds);
  const figure = drawing.closest(".time");
  const [first, last] = figure.dataset.excerpt.split(" ").map(Number);
  const mixer = mixerOf(figure.closest(".song"));
  if (mixer && second >= first && second < last) mixer.playAt(0, second);
  else if (second >= 0 && figure.dataset.whole)
    window.open(`${figure.dataset.whole}#t=${second.toFixed(1)}`);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.play");
  const drawing = event.target.closest(".time svg");
  if (link) {
    event.preventDefault();
    playLink(link);
  } else if (drawing) playSecond(drawing, event);
});

document.querySelectorAll('a[href^="#t"]:not(.play)').forEach((link) =>
  link.addEventListener("click", () => {
    const song = document.querySelector(link.hash);
    if (song) song.open = true;
  })
);
