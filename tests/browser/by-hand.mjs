// Training steps in plain JavaScript and double precision, value by value, under the names that the page gives them; a gradient is `d NAME`.

const zeros = (n) => new Float64Array(n);
const map = (a, f) => Float64Array.from(a, f);
export const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/** [n, k] times [k, m]. */
export function matmul(a, b, n, k, m) {
  const out = zeros(n * m);
  for (let i = 0; i < n; i++) for (let p = 0; p < k; p++) {
    const left = a[i * k + p];
    if (left !== 0) for (let j = 0; j < m; j++) out[i * m + j] += left * b[p * m + j];
  }
  return out;
}

export function transpose(a, rows, columns) {
  return Float64Array.from({ length: rows * columns }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)]);
}

/** The sum over all rows of [rows, columns]. */
export function sumRows(a, columns) {
  const out = zeros(columns);
  a.forEach((value, at) => (out[at % columns] += value));
  return out;
}

const addRow = (a, row) => map(a, (value, at) => value + row[at % row.length]);
const relu = (a) => map(a, (value) => Math.max(0, value));
const positive = (a) => map(a, (value) => Number(value > 0));
const times = (a, b) => map(a, (value, at) => value * b[at]);

/** Calls `visit(x, kernel, y)` with the places of every product of a 3 by 3 convolution without padding: [n, h, w, c] to [n, h - 2, w - 2, o]. */
function eachProduct(n, h, w, c, o, visit) {
  for (let b = 0; b < n; b++) for (let i = 0; i < h - 2; i++) for (let j = 0; j < w - 2; j++) {
    const y = ((b * (h - 2) + i) * (w - 2) + j) * o;
    for (let p = 0; p < 3; p++) for (let q = 0; q < 3; q++) for (let k = 0; k < c; k++) {
      const x = ((b * h + i + p) * w + j + q) * c + k;
      const kernel = ((p * 3 + q) * c + k) * o;
      for (let f = 0; f < o; f++) visit(x, kernel + f, y + f);
    }
  }
}

/** Of each 2 by 2 window of [n, h, w, c], the place of its first largest element. */
function winners(a, n, h, w, c) {
  const [rows, columns] = [h >> 1, w >> 1];
  return Array.from({ length: n * rows * columns * c }, (_, at) => {
    const k = at % c;
    const j = Math.floor(at / c) % columns;
    const i = Math.floor(at / (c * columns)) % rows;
    const b = Math.floor(at / (c * columns * rows));
    const places = [0, 1, 2, 3].map((t) => ((b * h + 2 * i + (t >> 1)) * w + 2 * j + (t & 1)) * c + k);
    return places.reduce((best, place) => (a[place] > a[best] ? place : best));
  });
}

/** Keras's Adam at its first step, over variables one behind the other, each at a multiple of 64 numbers. */
export function adam(variables, gradients, rate) {
  const flat = (tensors) => Float64Array.from(tensors.flatMap((tensor) => [...tensor, ...zeros((64 - (tensor.length % 64)) % 64)]));
  const [p, g] = [flat(variables), flat(gradients)];
  const [first, second, epsilon] = [0.9, 0.999, 1e-7];
  const squares = times(g, g);
  const m = map(g, (value) => (1 - first) * value);
  const v = map(squares, (value) => (1 - second) * value);
  const root = map(v, Math.sqrt);
  const under = map(root, (value) => value + epsilon);
  const scaled = map(m, (value) => value * rate);
  const corrected = map(scaled, (value) => (value * Math.sqrt(1 - second)) / (1 - first));
  const change = map(corrected, (value, at) => value / under[at]);
  return {
    mul: squares, sub: g, mul_1: m, updated_m: m, sub_1: squares, mul_2: v, updated_v: v, sqrt: root, add_2: under,
    mul_3: scaled, mul_4: corrected, div: change, updated_parameters: map(p, (value, at) => value - change[at]),
  };
}

/** mnist-cnn-small: convolution, max pooling, two dense layers, softmax with cross-entropy, Adam. `x` is [n, 28, 28, 1], `y` the classes. */
export function smallCnn({ weights, x, y, rate }) {
  const n = y.length;
  const [k1, b1, k2, b2, k3, b3] = ["conv2d", "dense", "dense_1"].flatMap((layer) => [weights[`${layer}.kernel`], weights[`${layer}.bias`]]);
  const [filters, hidden, classes] = [b1.length, b2.length, b3.length];
  const flat = 13 * 13 * filters;
  const convolved = zeros(n * 26 * 26 * filters);
  eachProduct(n, 28, 28, 1, filters, (from, kernel, to) => (convolved[to] += x[from] * k1[kernel]));
  const z1 = addRow(convolved, b1);
  const a1 = relu(z1);
  const won = winners(a1, n, 26, 26, filters);
  const pooled = Float64Array.from(won, (place) => a1[place]);
  const s2 = matmul(pooled, k2, n, flat, hidden);
  const z2 = addRow(s2, b2);
  const a2 = relu(z2);
  const s3 = matmul(a2, k3, n, hidden, classes);
  const logits = addRow(s3, b3);
  const softmax = zeros(n * classes);
  const [losses, answers] = [zeros(n), zeros(n)];
  for (let row = 0; row < n; row++) {
    const own = logits.slice(row * classes, (row + 1) * classes);
    const most = Math.max(...own);
    const total = own.reduce((sum, z) => sum + Math.exp(z - most), 0);
    own.forEach((z, k) => (softmax[row * classes + k] = Math.exp(z - most) / total));
    losses[row] = Math.log(total) + most - own[y[row]];
    answers[row] = own.indexOf(most);
  }
  const right = map(answers, (answer, row) => Number(answer === y[row]));
  const share = [1 / n];

  const dLogits = map(softmax, (p, at) => (p - Number(at % classes === y[Math.floor(at / classes)])) / n);
  const dA2 = matmul(dLogits, transpose(k3, hidden, classes), n, classes, hidden);
  const dZ2 = times(dA2, positive(a2));
  const dPooled = matmul(dZ2, transpose(k2, flat, hidden), n, hidden, flat);
  const dA1 = zeros(a1.length);
  won.forEach((place, at) => (dA1[place] += dPooled[at]));
  const dZ1 = times(dA1, positive(a1));
  const [dX, dK1] = [zeros(x.length), zeros(k1.length)];
  eachProduct(n, 28, 28, 1, filters, (from, kernel, to) => {
    dX[from] += dZ1[to] * k1[kernel];
    dK1[kernel] += dZ1[to] * x[from];
  });
  const dK2 = matmul(transpose(pooled, n, flat), dZ2, flat, n, hidden);
  const dK3 = matmul(transpose(a2, n, hidden), dLogits, hidden, n, classes);
  const gradients = [dK1, sumRows(dZ1, filters), dK2, sumRows(dZ2, hidden), dK3, sumRows(dLogits, classes)];
  return {
    "conv2d/conv2d": convolved, "conv2d/add": z1, "conv2d/relu": a1, "max_pooling2d/max_pool2d": pooled,
    "dense/matmul": s2, "dense/add": z2, "dense/relu": a2, "dense_1/matmul": s3, "dense_1/add": logits, "dense_1/softmax": softmax,
    loss_of_each_example: losses, loss: [losses.reduce((a, b) => a + b) / n], argmax: answers, equal: right, correct: [right.reduce((a, b) => a + b)],
    "∂mul": share, "d loss_of_each_example": zeros(n).fill(share[0]), "d dense_1/add": dLogits, "d dense_1.bias": gradients[5],
    "d dense/relu": dA2, "d dense_1.kernel": dK3, "dense/∂greater": positive(a2), "d dense/add": dZ2, "d dense.bias": gradients[3],
    "d flatten/reshape": dPooled, "d dense.kernel": dK2, "d conv2d/relu": dA1, "conv2d/∂greater": positive(a1), "d conv2d/add": dZ1,
    "d conv2d.bias": gradients[1], "d x": dX, "d conv2d.kernel": dK1,
    ...adam([k1, b1, k2, b2, k3, b3], gradients, rate),
  };
}

/** sigmoid-2-2-1: two inputs, two hidden units, one output, all of sigmoids, with binary cross-entropy on the logits and Adam. */
export function sigmoidNetwork({ weights, x, y, rate }) {
  const n = y.length;
  const [w1, b1, w2, b2] = ["dense", "dense_1"].flatMap((layer) => [weights[`${layer}.kernel`], weights[`${layer}.bias`]]);
  const sum = matmul(x, w1, n, 2, 2);
  const z = addRow(sum, b1);
  const h = map(z, sigmoid);
  const out = matmul(h, w2, n, 2, 1);
  const logits = addRow(out, b2);
  const p = map(logits, sigmoid);
  const losses = map(logits, (logit, k) => Math.log(1 + Math.exp(logit)) - y[k] * logit);
  const [answers, truths] = [map(logits, (logit) => Number(logit > 0)), map(y, (target) => Number(target > 0.5))];
  const right = map(answers, (answer, k) => Number(answer === truths[k]));
  const apart = map(p, (value, k) => value - y[k]);
  const delta = map(apart, (value) => value / n);
  const dH = matmul(delta, w2, n, 1, 2);
  const slope = map(h, (value) => value * (1 - value));
  const dZ = times(dH, slope);
  const gradients = [matmul(transpose(x, n, 2), dZ, 2, n, 2), sumRows(dZ, 2), matmul(transpose(h, n, 2), delta, 2, n, 1), sumRows(delta, 1)];
  const share = zeros(n).fill(1 / n);
  return {
    "dense/matmul": sum, "dense/add": z, "dense/sigmoid": h, "dense_1/matmul": out, "dense_1/add": logits, "dense_1/sigmoid": p,
    binary_cross_entropy_with_logits: losses, loss_of_each_example: losses, loss: [losses.reduce((a, b) => a + b) / n],
    greater: answers, greater_1: truths, equal: right, mean_2: right, correct: [right.reduce((a, b) => a + b)],
    "∂mul": [1 / n], "d loss_of_each_example": share, "d binary_cross_entropy_with_logits": share, "∂sigmoid": p, "∂sub": apart,
    "d dense_1/add": delta, "d dense_1.bias": gradients[3], "d dense/sigmoid": dH, "d dense_1.kernel": gradients[2],
    "dense/∂sub": map(h, (value) => 1 - value), "dense/∂mul": slope, "d dense/add": dZ, "d dense.bias": gradients[1],
    "d x": matmul(dZ, transpose(w1, 2, 2), n, 2, 2), "d dense.kernel": gradients[0],
    ...adam([w1, b1, w2, b2], gradients, rate),
  };
}

/** `a = tanh(x @ w + b); loss = mean((a - y)^2)` and a step of gradient descent: x is [2, 3], w [3, 2]. */
export function scratchProgram({ x, w, b, y, rate }) {
  const product = matmul(x, w, 2, 3, 2);
  const z = addRow(product, b);
  const a = map(z, Math.tanh);
  const apart = map(a, (value, at) => value - y[at]);
  const squares = times(apart, apart);
  const share = zeros(4).fill(1 / 4);
  const slope = map(apart, (value) => 2 * value);
  const dA = times(share, slope);
  const tangents = times(a, a);
  const steepness = map(tangents, (value) => 1 - value);
  const dZ = times(dA, steepness);
  const [dW, dB] = [matmul(transpose(x, 2, 3), dZ, 3, 2, 2), sumRows(dZ, 2)];
  const flat = (...variables) => variables.flatMap((values) => [...values, ...zeros(64 - values.length)]);
  const change = flat(dW, dB).map((value) => rate * value);
  return {
    matmul: product, add: z, a, sub: apart, pow: squares, loss: [squares.reduce((sum, value) => sum + value) / 4],
    "∂mul": [1 / 4], "d pow": share, "∂sub": [1], "∂pow": apart, "∂mul_1": slope, "d a": dA, "d y": map(dA, (value) => -value),
    "∂mul_3": tangents, "∂sub_1": steepness, "d add": dZ, "d b": dB, "d x": matmul(dZ, transpose(w, 3, 2), 2, 2, 3), "d w": dW,
    mul: change, updated_parameters: flat(w, b).map((value, at) => value - change[at]),
  };
}
