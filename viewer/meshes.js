"use strict";
// Meshes as viewer/scenes.py describes them: their vertices, normals and colours, three numbers each, one after the other.

function bytes(text) {
  const letters = atob(text), content = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) content[i] = letters.charCodeAt(i);
  return content.buffer;
}

function unpackVertices(source) {
  const steps = new Int16Array(bytes(source.vertices)), vertices = new Float32Array(steps.length);
  for (let i = 0; i < steps.length; i++) vertices[i] = source.step * steps[i] + source.place[i % 3];
  return vertices;
}

// Unit normals: those of the triangles around a vertex, the larger ones with more weight.
function vertexNormals(vertices, faces) {
  const normals = new Float32Array(vertices.length);
  for (let f = 0; f < faces.length; f += 3) {
    const a = 3 * faces[f], b = 3 * faces[f + 1], c = 3 * faces[f + 2];
    const p = [0, 1, 2].map((k) => vertices[b + k] - vertices[a + k]);
    const q = [0, 1, 2].map((k) => vertices[c + k] - vertices[a + k]);
    const n = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
    for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    for (let k = 0; k < 3; k++) normals[i + k] /= length;
  }
  return normals;
}

const PLAIN = [170, 205, 170], LOW = [64, 96, 200], MIDDLE = [235, 235, 215], HIGH = [200, 30, 30];

function errorColour(error, limit) {
  const place = Math.min(1, error / limit) * 2;
  const [from, to, part] = place < 1 ? [LOW, MIDDLE, place] : [MIDDLE, HIGH, place - 1];
  return from.map((value, k) => value + (to[k] - value) * part);
}

function vertexColours(source, count, limit) {
  const errors = source.errors && new Float32Array(bytes(source.errors));
  const colours = new Float32Array(3 * count);
  for (let i = 0; i < count; i++) colours.set(errors ? errorColour(errors[i], limit) : source.colour || PLAIN, 3 * i);
  return colours;
}

// The smallest box, [low, high], around points, each widened by `reach`.
function boxAround(points, reach) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i++) {
    low[i % 3] = Math.min(low[i % 3], points[i] - reach);
    high[i % 3] = Math.max(high[i % 3], points[i] + reach);
  }
  return [low, high];
}

class StillMesh {
  constructor(source, shared) {
    this.name = source.name;
    this.vertices = unpackVertices(source);
    this.normals = vertexNormals(this.vertices, shared.faces);
    this.colours = vertexColours(source, this.vertices.length / 3, shared.limit);
    this.box = boxAround(this.vertices, 0);
  }

  hasFrame() {
    return true;
  }

  pose() {}
}

// A person of a video. Linear blend skinning: a vertex follows four joints. Pose blend shapes are left out.
class MovingMesh extends StillMesh {
  constructor(source, shared) {
    super(source, shared);
    this.parents = shared.parents;
    this.followed = shared.joints;
    this.weights = shared.weights;
    this.rest = this.vertices.slice();
    this.restNormals = this.normals.slice();
    this.joints = source.joints;
    this.quaternions = new Int16Array(bytes(source.quaternions));
    this.roots = new Float32Array(bytes(source.roots));
    this.first = source.first_frame;
    this.end = this.first + this.roots.length / 3;
    let reach = 0;
    for (let i = 0; i < this.rest.length; i += 3) {
      reach = Math.max(reach, Math.hypot(...[0, 1, 2].map((k) => this.rest[i + k] - this.joints[0][k])));
    }
    this.box = boxAround(this.roots, reach);
  }

  hasFrame(frame) {
    return frame >= this.first && frame < this.end;
  }

  // The rotation of a joint relative to its parent, row by row.
  turn(row, joint) {
    const start = 4 * (row * this.parents.length + joint);
    let [x, y, z, w] = this.quaternions.subarray(start, start + 4);
    const length = Math.hypot(x, y, z, w);
    [x, y, z, w] = [x / length, y / length, z / length, w / length];
    return [
      1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
      2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
      2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ];
  }

  // What a frame does to points at rest that follow one joint alone: nine numbers of a rotation, and a shift.
  jointMoves(row) {
    const rotations = [], places = [], moves = new Float64Array(12 * this.parents.length);
    this.parents.forEach((parent, joint) => {
      let rotation = this.turn(row, joint), place = this.roots.subarray(3 * row, 3 * row + 3);
      if (parent >= 0) {
        const bone = this.joints[joint].map((value, k) => value - this.joints[parent][k]);
        place = apply(rotations[parent], bone).map((value, k) => value + places[parent][k]);
        rotation = multiply(rotations[parent], rotation);
      }
      rotations.push(rotation);
      places.push(place);
      moves.set(rotation, 12 * joint);
      moves.set(apply(rotation, this.joints[joint]).map((value, k) => place[k] - value), 12 * joint + 9);
    });
    return moves;
  }

  pose(frame) {
    const moves = this.jointMoves(frame - this.first), blend = new Float64Array(12);
    const {vertices, normals, rest, restNormals, followed, weights} = this;
    for (let i = 0, v = 0; v < rest.length; i += 4, v += 3) {
      blend.fill(0);
      for (let k = i; k < i + 4; k++) {
        if (weights[k]) for (let m = 0; m < 12; m++) blend[m] += weights[k] * moves[12 * followed[k] + m];
      }
      for (let k = 0; k < 3; k++) {
        const a = blend[3 * k], b = blend[3 * k + 1], c = blend[3 * k + 2];
        vertices[v + k] = a * rest[v] + b * rest[v + 1] + c * rest[v + 2] + blend[9 + k];
        normals[v + k] = a * restNormals[v] + b * restNormals[v + 1] + c * restNormals[v + 2];
      }
    }
  }
}

function apply(matrix, point) {
  return [0, 3, 6].map((row) => matrix[row] * point[0] + matrix[row + 1] * point[1] + matrix[row + 2] * point[2]);
}

function multiply(a, b) {
  return Array.from({length: 9}, (_, i) => [0, 1, 2].reduce((sum, k) => sum + a[i - i % 3 + k] * b[3 * k + i % 3], 0));
}
