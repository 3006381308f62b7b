"use strict";
// A small z-buffer renderer on a 2-D canvas: it needs no WebGL, so it draws the same everywhere.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.getElementById("view");
  const context = canvas.getContext("2d");
  const width = canvas.width, height = canvas.height;
  const faces = new Uint32Array(bytes(data.faces));
  const PLAIN = [170, 205, 170], LOW = [64, 96, 200], MIDDLE = [235, 235, 215], HIGH = [200, 30, 30];
  const LIGHT = [0.35, 0.5, 0.79];  // towards the light, unit length
  const SPACE = 1.3;  // metres between two meshes
  const ready = new Map();
  let shown = "mean", yaw = 0.5, pitch = 0.1, zoom = 1, scheduled = false;

  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  }

  function colour(error) {
    const place = Math.min(1, error / data.limit) * 2;
    const [from, to, part] = place < 1 ? [LOW, MIDDLE, place] : [MIDDLE, HIGH, place - 1];
    return from.map((value, k) => value + (to[k] - value) * part);
  }

  // Centred vertices, unit normals and colours of a mesh, made when it is first shown.
  function prepare(mesh) {
    const vertices = new Float32Array(bytes(mesh.vertices));
    const errors = mesh.errors ? new Float32Array(bytes(mesh.errors)) : null;
    const count = vertices.length / 3;
    for (let axis = 0; axis < 3; axis++) {
      let low = Infinity, high = -Infinity;
      for (let i = axis; i < vertices.length; i += 3) {
        low = Math.min(low, vertices[i]);
        high = Math.max(high, vertices[i]);
      }
      for (let i = axis; i < vertices.length; i += 3) vertices[i] -= (low + high) / 2;
    }
    const normals = new Float32Array(vertices.length), colours = new Float32Array(vertices.length);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const p = [0, 1, 2].map((k) => vertices[b + k] - vertices[a + k]);
      const q = [0, 1, 2].map((k) => vertices[c + k] - vertices[a + k]);
      const n = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
      for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
    }
    for (let i = 0; i < count; i++) {
      const length = Math.hypot(normals[3 * i], normals[3 * i + 1], normals[3 * i + 2]) || 1;
      const own = errors ? colour(errors[i]) : PLAIN;
      for (let k = 0; k < 3; k++) {
        normals[3 * i + k] /= length;
        colours[3 * i + k] = own[k];
      }
    }
    return {vertices, normals, colours};
  }

  function meshes() {
    if (!ready.has(shown)) ready.set(shown, data.meshes[shown].map(prepare));
    return ready.get(shown);
  }

  function draw() {
    scheduled = false;
    const picture = context.createImageData(width, height);
    const depth = new Float32Array(width * height).fill(-Infinity);
    const all = meshes();
    all.forEach((mesh, index) => drawMesh(mesh, (index - (all.length - 1) / 2) * SPACE, seen(all), picture.data, depth));
    context.putImageData(picture, 0, 0);
  }

  // Metres that the canvas shows, from side to side.
  function seen(all) {
    return (all.length > 1 ? 2.8 : 2.3) / zoom;
  }

  function drawMesh(mesh, shift, metres, pixels, depth) {
    const count = mesh.vertices.length / 3, scale = height / metres;
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const x = new Float32Array(count), y = new Float32Array(count), z = new Float32Array(count);
    const light = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const [vx, vy, vz] = mesh.vertices.subarray(3 * i, 3 * i + 3);
      const [nx, ny, nz] = mesh.normals.subarray(3 * i, 3 * i + 3);
      const forward = cy * vz - sy * vx, normalForward = cy * nz - sy * nx;
      x[i] = width / 2 + scale * (cy * vx + sy * vz + shift);
      y[i] = height / 2 - scale * (cp * vy - sp * forward);
      z[i] = sp * vy + cp * forward;
      const turned = [cy * nx + sy * nz, cp * ny - sp * normalForward, sp * ny + cp * normalForward];
      light[i] = 0.4 + 0.6 * Math.max(0, turned[0] * LIGHT[0] + turned[1] * LIGHT[1] + turned[2] * LIGHT[2]);
    }
    for (let f = 0; f < faces.length; f += 3) fill(faces[f], faces[f + 1], faces[f + 2]);

    function fill(a, b, c) {
      const area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]);
      if (area >= 0) return;  // seen from behind
      const left = Math.max(0, Math.ceil(Math.min(x[a], x[b], x[c])));
      const right = Math.min(width - 1, Math.floor(Math.max(x[a], x[b], x[c])));
      const top = Math.max(0, Math.ceil(Math.min(y[a], y[b], y[c])));
      const bottom = Math.min(height - 1, Math.floor(Math.max(y[a], y[b], y[c])));
      for (let py = top; py <= bottom; py++) {
        for (let px = left; px <= right; px++) {
          const wb = ((px - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (py - y[a])) / area;
          const wc = ((x[b] - x[a]) * (py - y[a]) - (px - x[a]) * (y[b] - y[a])) / area;
          const wa = 1 - wb - wc;
          if (wa < 0 || wb < 0 || wc < 0) continue;
          const place = py * width + px, near = wa * z[a] + wb * z[b] + wc * z[c];
          if (near <= depth[place]) continue;
          depth[place] = near;
          const bright = wa * light[a] + wb * light[b] + wc * light[c];
          for (let k = 0; k < 3; k++) {
            const base = wa * mesh.colours[3 * a + k] + wb * mesh.colours[3 * b + k] + wc * mesh.colours[3 * c + k];
            pixels[4 * place + k] = bright * base;
          }
          pixels[4 * place + 3] = 255;
        }
      }
    }
  }

  function redraw() {
    if (!scheduled) requestAnimationFrame(draw);
    scheduled = true;
  }

  function show(name) {
    shown = name;
    const what = name.endsWith("-fitted") ? "the body fitted to the prediction" : "the prediction";
    const pair = `one image: left ${what}, coloured by its error, right the truth`;
    const single = data.meshes[name].length > 1 ? pair : `one image: ${what}`;
    document.getElementById("shown").textContent = name === "mean" ? data.mean : single;
    redraw();
  }

  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    yaw += event.movementX * 0.01;
    pitch = Math.max(-1.5, Math.min(1.5, pitch + event.movementY * 0.01));
    redraw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom = Math.max(0.4, Math.min(6, zoom * Math.exp(-event.deltaY * 0.001)));
    redraw();
  }, {passive: false});
  for (const button of document.querySelectorAll("button[data-mesh]")) {
    button.addEventListener("click", () => {
      show(button.dataset.mesh);
      canvas.scrollIntoView({behavior: "smooth", block: "center"});
    });
  }
  show("mean");
})();
