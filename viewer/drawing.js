"use strict";
// Draws meshes on a 2-D canvas with a depth buffer. It needs no WebGL, so it draws the same everywhere.

const LIGHT = [0.35, 0.5, 0.79];  // towards the light, unit length
const CORNER = 6;  // numbers of a projected vertex: x and y in pixels, depth towards the viewer, red, green, blue

class Picture {
  constructor(canvas) {
    this.context = canvas.getContext("2d");
    this.width = canvas.width;
    this.height = canvas.height;
    this.image = this.context.createImageData(this.width, this.height);
    this.depth = new Float32Array(this.width * this.height);
  }

  clear() {
    this.image.data.fill(0);
    this.depth.fill(-Infinity);
  }

  show() {
    this.context.putImageData(this.image, 0, 0);
  }

  // view: yaw and pitch in radians, the point `centre` that is drawn in the middle, and `metres` from top to bottom.
  draw(mesh, faces, view) {
    const corners = this.project(mesh, view);
    for (let f = 0; f < faces.length; f += 3) {
      this.fill(corners, CORNER * faces[f], CORNER * faces[f + 1], CORNER * faces[f + 2]);
    }
  }

  project({vertices, normals, colours}, view) {
    const corners = new Float32Array(vertices.length / 3 * CORNER), scale = this.height / view.metres;
    const sy = Math.sin(view.yaw), cy = Math.cos(view.yaw), sp = Math.sin(view.pitch), cp = Math.cos(view.pitch);
    const [centreX, centreY, centreZ] = view.centre, [shiftX, shiftY] = view.shift;
    for (let i = 0, o = 0; i < vertices.length; i += 3, o += CORNER) {
      const x = vertices[i] - centreX, y = vertices[i + 1] - centreY, z = vertices[i + 2] - centreZ;
      const forward = cy * z - sy * x;
      corners[o] = this.width / 2 + scale * (cy * x + sy * z + shiftX);
      corners[o + 1] = this.height / 2 - scale * (cp * y - sp * forward + shiftY);
      corners[o + 2] = sp * y + cp * forward;
      const nx = normals[i], ny = normals[i + 1], nz = normals[i + 2], normalForward = cy * nz - sy * nx;
      const towards = LIGHT[0] * (cy * nx + sy * nz) + LIGHT[1] * (cp * ny - sp * normalForward)
        + LIGHT[2] * (sp * ny + cp * normalForward);
      const bright = 0.4 + 0.6 * Math.max(0, towards);
      for (let k = 0; k < 3; k++) corners[o + 3 + k] = bright * colours[i + k];
    }
    return corners;
  }

  // A triangle whose corners begin at a, b and c; what is nearer hides what is behind.
  fill(corners, a, b, c) {
    const xa = corners[a], ya = corners[a + 1];
    const xab = corners[b] - xa, yab = corners[b + 1] - ya, xac = corners[c] - xa, yac = corners[c + 1] - ya;
    const area = xab * yac - xac * yab;
    if (!(area < 0)) return;  // seen from behind
    const left = Math.max(0, Math.ceil(xa + Math.min(0, xab, xac)));
    const right = Math.min(this.width - 1, Math.floor(xa + Math.max(0, xab, xac)));
    const top = Math.max(0, Math.ceil(ya + Math.min(0, yab, yac)));
    const bottom = Math.min(this.height - 1, Math.floor(ya + Math.max(0, yab, yac)));
    const {depth, image: {data: pixels}} = this;
    for (let py = top; py <= bottom; py++) {
      for (let px = left; px <= right; px++) {
        const wb = ((px - xa) * yac - xac * (py - ya)) / area, wc = (xab * (py - ya) - (px - xa) * yab) / area;
        const wa = 1 - wb - wc;
        if (wa < 0 || wb < 0 || wc < 0) continue;
        const place = py * this.width + px, near = wa * corners[a + 2] + wb * corners[b + 2] + wc * corners[c + 2];
        if (near <= depth[place]) continue;
        depth[place] = near;
        for (let k = 0; k < 3; k++) {
          pixels[4 * place + k] = wa * corners[a + 3 + k] + wb * corners[b + 3 + k] + wc * corners[c + 3 + k];
        }
        pixels[4 * place + 3] = 255;
      }
    }
  }
}
