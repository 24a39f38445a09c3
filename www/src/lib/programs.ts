/** Programs to begin with; the catalogues have a title and a text for each. */
export const PROGRAMS = {
  neuron: `x = data([0.5, -1.2, 2])
y = data(1)
w = [0.4, 0.1, -0.3]
b = 0.2
z = sum(w * x) + b
a = tanh(z)
loss = (a - y)^2`,
  xor: `x = data([[0, 0], [0, 1], [1, 0], [1, 1]])
y = data([[0], [1], [1], [0]])
w1 = randn(2, 3)
b1 = zeros(3)
w2 = randn(3, 1)
b2 = zeros(1)
h = tanh(x @ w1 + b1)
p = sigmoid(h @ w2 + b2)
loss = -mean(y * log(p) + (1 - y) * log(1 - p))
learning_rate = 0.5`,
  softmax: `z = [[2, 1, -0.5]]
t = data([[1, 0, 0]])
p = softmax(z)
expanded = -sum(t * log(p))
fused = cross_entropy(z, t)
loss = (expanded + fused) / 2`,
  broadcast: `x = [[1, 2, 3], [4, 5, 6]]
b = [10, 20, 30]
s = x + b
loss = sum(s^2)`,
  hand: `x = data([[0.5], [1]])
y = data([[0], [1]])
W = [[0.1, 0.2], [0.3, 0.4]]
b = [[0.1], [0.2]]
z = W @ x + b
h = sigmoid(z)
J = sum((h - y)^2) / 2
learning_rate = 0.5`,
} as const;

export type Program = keyof typeof PROGRAMS;
export const PROGRAM_NAMES = Object.keys(PROGRAMS) as Program[];

/** The example that a program is, unless it was changed. */
export const exampleOf = (source: string): Program | undefined => PROGRAM_NAMES.find((name) => PROGRAMS[name] === source);
