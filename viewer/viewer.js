"use strict";
// What is shown and how: the scene, the switches below it, the mouse, and the time of motions.

const shared = JSON.parse(document.getElementById("shared").textContent);
shared.faces = new Uint32Array(bytes(shared.faces));
if (shared.weights) {
  shared.joints = new Uint8Array(bytes(shared.joints));
  shared.weights = new Float32Array(bytes(shared.weights));
}
const MARGIN = 1.15;  // of what is shown around the meshes
const [canvas, player, playButton, time, clock] = ["view", "player", "play", "time", "clock"].map(byId);
const picture = new Picture(canvas);
const view = {yaw: 0.35, pitch: 0.1, zoom: 1, shift: [0, 0], centre: [0, 0, 0], size: 2, metres: 2};
let scene = null;  // {frameRate, variants: {word: meshes}, first, end}; frames are those of the video
let variant = "", person = null;  // null: everyone
let frame = 0, began = null;  // began: when the first frame was shown, in ms, while time runs
let isScheduled = false;

function byId(id) {
  return document.getElementById(id);
}

function show(name) {
  const element = [...document.querySelectorAll(".scene")].find((each) => each.dataset.name === name);
  const {text, variants, frame_rate: frameRate} = JSON.parse(element.textContent);
  const Mesh = frameRate ? MovingMesh : StillMesh;
  const unpacked = Object.entries(variants).map(([word, all]) => [word, all.map((mesh) => new Mesh(mesh, shared))]);
  scene = {frameRate, variants: Object.fromEntries(unpacked)};
  if (!(variant in scene.variants)) variant = unpacked[0][0];
  person = null;
  pause();
  player.hidden = !frameRate;
  if (frameRate) {
    const meshes = unpacked.flatMap(([, all]) => all);
    scene.first = Math.min(...meshes.map((mesh) => mesh.first));
    scene.end = Math.max(...meshes.map((mesh) => mesh.end));
    [time.min, time.max] = [scene.first, scene.end - 1];
    moveTo(scene.first);
  }
  byId("shown").textContent = text;
  aim();
  redraw();
}

// The meshes that are chosen by the switches, whatever the time.
function chosenMeshes() {
  return scene.variants[variant].filter((mesh) => person === null || mesh.name === person);
}

// Looks at the chosen meshes, and makes the switches anew.
function aim() {
  const boxes = chosenMeshes().map((mesh) => mesh.box);
  const low = [0, 1, 2].map((k) => Math.min(...boxes.map((box) => box[0][k])));
  const high = [0, 1, 2].map((k) => Math.max(...boxes.map((box) => box[1][k])));
  view.centre = low.map((value, k) => (value + high[k]) / 2);
  view.size = MARGIN * Math.max(...low.map((value, k) => high[k] - value));
  [view.zoom, view.shift] = [1, [0, 0]];
  makeSwitches();
}

function makeSwitches() {
  fillSwitch("variants", Object.keys(scene.variants).map((word) => [word, word]), variant, (word) => {
    variant = word;
    if (!chosenMeshes().length) person = null;
  });
  const names = scene.variants[variant].map((mesh) => mesh.name);
  const people = names.length > 1 && names[0] ? [["everyone", null], ...names.map((name) => [name, name])] : [];
  fillSwitch("people", people, person, (name) => {
    person = name;
    aim();
  });
}

function fillSwitch(id, choices, chosen, choose) {
  byId(id).hidden = choices.length < 2;
  byId(id).replaceChildren(...choices.map(([word, value]) => {
    const button = document.createElement("button");
    button.textContent = word;
    button.setAttribute("aria-pressed", value === chosen);
    button.addEventListener("click", () => {
      choose(value);
      makeSwitches();
      redraw();
    });
    return button;
  }));
}

function redraw() {
  if (!isScheduled) requestAnimationFrame(draw);
  isScheduled = true;
}

function draw() {
  isScheduled = false;
  view.metres = view.size / view.zoom;
  picture.clear();
  for (const mesh of chosenMeshes()) {
    if (!mesh.hasFrame(frame)) continue;
    mesh.pose(frame);
    picture.draw(mesh, shared.faces, view);
  }
  picture.show();
}

function moveTo(number) {
  frame = number;
  time.value = number;
  const seconds = [frame, scene.end - 1].map((each) => (each / scene.frameRate).toFixed(2));
  clock.textContent = `${seconds[0]} of ${seconds[1]} s, frame ${frame}`;
  redraw();
}

function play() {
  began = performance.now() - 1000 * (frame - scene.first) / scene.frameRate;
  playButton.textContent = "pause";
  tick();
}

function pause() {
  began = null;
  playButton.textContent = "play";
}

// Shows the frame of the moment; a slow browser leaves frames out, and after the last comes the first.
function tick() {
  if (began === null) return;
  const passed = Math.floor((performance.now() - began) * scene.frameRate / 1000);
  const number = scene.first + passed % (scene.end - scene.first);
  if (number !== frame) moveTo(number);
  requestAnimationFrame(tick);
}

playButton.addEventListener("click", () => began === null ? play() : pause());
time.addEventListener("input", () => {
  pause();
  moveTo(Number(time.value));
});
canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
canvas.addEventListener("pointermove", (event) => {
  if (!event.buttons) return;
  if (event.shiftKey) {
    const metres = view.size / view.zoom / canvas.clientHeight;
    view.shift = [view.shift[0] + event.movementX * metres, view.shift[1] - event.movementY * metres];
  } else {
    view.yaw += event.movementX * 0.01;
    view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + event.movementY * 0.01));
  }
  redraw();
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  view.zoom = Math.max(0.2, Math.min(20, view.zoom * Math.exp(-event.deltaY * 0.001)));
  redraw();
}, {passive: false});
for (const button of document.querySelectorAll("button[data-scene]")) {
  button.addEventListener("click", () => {
    show(button.dataset.scene);
    if (scene.frameRate) play();
    canvas.scrollIntoView({behavior: "smooth", block: "nearest"});
  });
}
const firstScene = document.querySelector(".scene");
if (firstScene) show(firstScene.dataset.name);
