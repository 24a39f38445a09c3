import type { Lessons } from "./types.js";

export const lessons: Lessons = {
  welcome: {
    title: "A trained network",
    text: [
      "On the left is one handwritten digit, and what the network takes it for. In the middle are its tensors, from the input to the ten probabilities.",
      "The picture of each layer is blue where its value is below zero and orange where it is above. Choose a layer to see all of its maps.",
      "A convolution slides a small window over its input. At each place it multiplies what it sees by the same few weights and adds the products: that sum is one cell of a map.",
    ],
    next: [
      { text: "Move over the digit and watch the nine products." },
      { text: "Draw a digit of your own." },
      { text: "Open mnist-cnn and press Train.", address: "#/mnist-cnn" },
    ],
  },
  "mnist-cnn": {
    title: "MNIST, three convolutions",
    text: [
      "93,322 parameters read 28 × 28 pictures of digits. Three convolutions find strokes, then parts, then shapes; two dense layers decide.",
      "Watch the first filters while it trains: they begin as noise and become edge detectors within a few hundred batches.",
    ],
    claims: [
      { what: "test accuracy after 5 epochs", article: "98.75 %", truth: "98.45 %, after epoch 4 98.79 %: Keras, one seed" },
      { what: "time for a sample", article: "450 µs", truth: "257 µs, Keras on 2 cores" },
    ],
    next: [
      { text: "Press Train. An epoch is 938 batches of 64." },
      { text: "Let the rate fall along a cosine: 99.0 % is within reach.", address: "#/mnist-cnn?schedule=cosine" },
      { text: "Afterwards look under Evaluate at what it gets wrong." },
    ],
  },
  "mnist-cnn-small": {
    title: "MNIST, one convolution",
    text: [
      "A smaller network for the same digits. A fifth of the training set is held out: the network never learns from it, so its curve shows whether what was learned holds for new digits.",
      "Where the training loss keeps falling and the validation loss does not, the network learns its examples by heart.",
    ],
    next: [
      { text: "Train, and compare the three curves." },
      { text: "Put a Dropout layer before the last Dense and train again." },
      { text: "Try plain gradient descent instead of Adam.", address: "#/mnist-cnn-small?optimizer=sgd&learning_rate=0.05" },
    ],
  },
  "cifar10-cnn": {
    title: "CIFAR-10, small colour pictures",
    text: [
      "Ten kinds of things in 50,000 colour pictures of 32 × 32 pixels. Two convolutions and two dense layers, 4.28 million parameters, 98 % of them in the first dense layer.",
      "So many weights can learn the training pictures by heart. The curves say when that begins: the training loss goes on falling, the test loss turns and rises.",
    ],
    claims: [{ what: "test accuracy after 10 epochs", article: "about 80 %", truth: "65.8 % after 2: PyTorch, one seed" }],
    next: [
      { text: "Train for two epochs and look under Evaluate: which animals does it confuse?" },
      { text: "Put Dropout layers behind the pools and before the last Dense, and compare the test curves." },
      { text: "Train with augmentation: each picture mirrored and shifted by chance. Keep the run without it on the chart, and compare the test curves.", address: "#/cifar10-cnn?augment=1" },
      { text: "Let the rate fall along a cosine.", address: "#/cifar10-cnn?schedule=cosine" },
    ],
  },
  "autoencoder": {
    title: "An autoencoder: digits through a plane",
    text: [
      "The first half makes two numbers of a picture of 784 pixels, the second half makes a picture of these two numbers. The target is the input itself, so no label is needed.",
      "Two numbers are a point of a plane. To redraw a digit from its point, the network must put digits that look alike side by side.",
      "Without its bends the network would be principal component analysis: two components leave a mean squared error of 0.0557. With them one epoch is enough to fall below that.",
    ],
    next: [
      { text: "Train, and watch beside the digit what comes back of it." },
      { text: "Move over the plane below the curves: between two digits lies what the network takes for half of each." },
      { text: "Draw a digit of your own, and something that is no digit." },
      { text: "Widen the layer latent from 2 to 16: how much sharper does it get? Without activations: how much worse?" },
      { text: "Clothing instead of digits.", address: "#/autoencoder?data=fashion-mnist" },
    ],
  },
  "gan-mnist": {
    title: "Two networks against each other: digits from noise",
    text: [
      "The generator makes a picture of 64 random numbers and never sees a digit. The discriminator sees both kinds and says which is real. Each learns from the other's mistakes: what the discriminator answers is what the generator is judged by.",
      "One step is one forward pass with two losses. The gradient of the discriminator's loss goes to the discriminator's weights only, that of the generator's through the discriminator, whose weights stay, to the generator's. Step through it: the backward lane has both.",
      "Neither loss says how good the digits are: as one network gets better, the other's task gets harder. Look at the pictures instead.",
    ],
    next: [
      { text: "Train. The first shapes come within a few hundred steps; the preset's epochs take some minutes on a CPU." },
      { text: "Move the slider under the pictures back in time." },
      { text: "Watch how sure the discriminator is of data and of generated pictures: a half and a half would be a draw." },
      { text: "Clothing instead of digits.", address: "#/gan-mnist?data=fashion-mnist" },
    ],
  },
  "gan-2d": {
    title: "Two networks against each other, in the plane",
    text: [
      "The data are points in eight clusters on a ring. The generator bends noise into points of the plane, the discriminator draws a border between the two kinds: the colour of the plane is its answer.",
      "The generator only has to make points that are taken for real. Making all of them in one cluster does that as well, until the discriminator notices, and then it moves on to the next: mode collapse. Here it can be seen with bare eyes.",
    ],
    next: [
      { text: "Train, and count the clusters that are reached." },
      { text: "Build with another seed: it ends elsewhere." },
      { text: "Other data: two moons.", address: "#/gan-2d?data=moons" },
      { text: "Step through one batch: two losses, two gradients, one update." },
    ],
  },
  "gpt-char": {
    title: "A small GPT, character by character",
    text: [
      "A decoder-only transformer reads 64 characters of Shakespeare and says, at each of them, what comes next. Four blocks of attention and a dense network each, 128 numbers a character, about 820,000 parameters.",
      "Attention lets a character look back at those before it, never ahead: scores above the diagonal are masked, so that their weight is 0 and so is their gradient.",
      "Each block adds to what it was given. The sums are the way on which the gradient reaches the first layers undiminished.",
    ],
    next: [
      { text: "Press Train: about 2,000 steps bring the loss from 4.3, which is guessing among 75 characters, below 2." },
      { text: "Watch the samples: first letters, then words, then speeches." },
      { text: "Step through a batch and open an attention's weights." },
      { text: "Names are a smaller text, learned in minutes.", address: "#/gpt-char?data=names" },
      { text: "The same with pieces of words that byte-pair encoding learns: of longer tokens a window holds more text.", address: "#/gpt-char?tokenizer=bpe&vocabulary=1024" },
    ],
  },
  "seq2seq": {
    title: "Encoder and decoder: text to text",
    text: [
      "Up to ten letters come in, and the same letters are to come out in reverse. An encoder makes a vector of every letter of the source; a decoder writes the target from ▸ to ■, token by token, and reads what it has written.",
      "There are three attentions. Letters of the source look at one another, both ways; those of the target only look back. In cross-attention the two meet: the queries are the target's, the keys and values the source's. Its map shows what the network found: to reverse is to look along the other diagonal.",
      "While it trains, the decoder reads the right letters, whatever it would have said itself, so that all positions are learned at once. “Exact” is the share of examples whose whole target is right, its end included.",
      "124,829 parameters. Three epochs, 1,875 steps of 64 examples, take one to two minutes on one core of a CPU; then it reverses sources that it never saw, ten letters long, without a mistake.",
    ],
    next: [
      { text: "Press Train, and watch the diagonal appear under “Ask it”." },
      { text: "Type a source of your own, and choose a letter of the answer: where did it look?" },
      { text: "Step through a batch and open cross_attention." },
      { text: "Copy letters: now it is the diagonal itself.", address: "#/seq2seq?data=copy" },
      { text: "Sort letters.", address: "#/seq2seq?data=sort" },
      { text: "Say after each bit whether the ones so far are odd in number.", address: "#/seq2seq?data=parity" },
      { text: "Add numbers.", address: "#/seq2seq?data=addition" },
      { text: "Translate dates.", address: "#/seq2seq?data=dates" },
    ],
  },
  "bert-mini": {
    title: "A small BERT: guessing hidden words",
    text: [
      "Of each film review the network sees the first 64 words that say something (stop words are left out), 40 % of them hidden, and learns to say which they are. Nobody has to label anything: the text is its own answer.",
      "Two blocks of attention with four heads look both ways, but not at padding. Of the hidden words 80 % become [MASK], 10 % any other word, 10 % stay; only they count in the loss. BERT itself hides 15 %; in so short a training more is learned where more is asked. About 296,000 parameters, of which the table of words, which also gives the scores, has 192,000.",
    ],
    next: [
      { text: "Train: about five minutes on a CPU. Below the curves, hide words of your own and see the guesses." },
      { text: "Then, under Weights, go on with opinions: the encoder takes along what it has learned.", address: "#/bert-mini-sentiment" },
    ],
  },
  "bert-mini-sentiment": {
    title: "BERT on opinions: fine-tuning",
    text: [
      "The same encoder, the mean of what it makes of the words, and one number of it: good or bad. Only 500 reviews are labelled.",
      "From scratch, 500 reviews are too few to learn what words mean. With the weights of the pre-trained encoder, that is known before the first label.",
    ],
    next: [
      { text: "Train from scratch, and keep the run as a comparison." },
      { text: "Open the pre-training, train it, go on with its weights here, and train on the same 500 reviews.", address: "#/bert-mini" },
      { text: "Shut the locks of the encoder's layers: then only the last layer learns, and the stepper shows that no gradient flows into the others." },
      { text: "Under Optimizer, label more reviews: with 18,000 of them, does pre-training still pay?", address: "#/bert-mini-sentiment?train_examples=18000" },
    ],
  },
  "newsgroups-tfidf": {
    title: "Newsgroups by their words",
    text: [
      "Which of 20 groups was a post written to? A document is a row of 5,000 numbers, one a word: how often the word occurs in it, times how rare the word is among all documents, ln((1 + n) / (1 + documents with it)) + 1; then the row is scaled to length 1. The order of the words is lost.",
      "One dense layer with softmax reads the row. Its kernel has a weight for each word and group: 100,020 parameters. The words are learned from the training part alone.",
      "The article feeds such rows to an embedding, which takes whole numbers for row numbers of a table: nearly every weight lies between 0 and 1, so that nearly all would be row 0. And it gives the network 10 outputs for 20 classes.",
      "The files are 10 MB; the rows of 11,293 and 7,528 documents are 376 MB in memory.",
    ],
    claims: [
      { what: "test accuracy", article: "–", truth: "80 %; of 2,000 words 73 %" },
      { what: "outputs", article: "10", truth: "20, as many as classes" },
      { what: "naive Bayes, test accuracy", article: "–", truth: "78 %, over the same rows" },
    ],
    next: [
      { text: "Train, and compare training with validation: where do they part?" },
      { text: "Under Evaluate, see which groups are taken for each other, and read the posts." },
      { text: "Under Optimizer, try fewer words, or leave out stop words." },
    ],
  },
  "newsgroups-cnn": {
    title: "Newsgroups by windows of words",
    text: [
      "A post is its first 200 words, each a number below 1,000: 0 pads short posts, 1 stands for every word that is not among the 998 most frequent. The embedding looks up a vector of 64 numbers for each, the convolution reads five words at a time with 128 filters, and pooling keeps where each filter answered most.",
      "Beside it, a row of word counts knows nothing of the order of words, but sees 5,000 of them and the whole post. Which matters more here?",
    ],
    claims: [
      { what: "test accuracy", article: "–", truth: "64 %" },
      { what: "outputs", article: "10", truth: "20, as many as classes" },
      { what: "what the embedding reads", article: "TF-IDF weights", truth: "numbers of words" },
    ],
    next: [
      { text: "Train, and step into the convolution: which words does a filter answer to?" },
      { text: "Compare with the words' weights alone.", address: "#/newsgroups-tfidf" },
    ],
  },
  "sentiment-rnn": {
    title: "Opinions, word by word",
    text: [
      "Is a film review good or bad? A recurrent layer reads its first 100 words one after another: h = tanh(x W + h U + b), the same weights at every word. What is left of h at the end decides. Where a review is shorter, its last state stays as it is.",
      "On the way back the gradient goes through U and tanh once a word. Under Health, choose the gradients: the bars are the length of the gradient at each word.",
    ],
    claims: [{ what: "test accuracy", article: "–", truth: "75 %" }],
    next: [
      { text: "Train for a few batches, then look at the gradients over time under Health." },
      { text: "The same with gates.", address: "#/sentiment-lstm" },
      { text: "The same on Chinese product reviews, character by character.", address: "#/sentiment-rnn?data=reviews-zh" },
    ],
  },
  "sentiment-lstm": {
    title: "Opinions, with a memory",
    text: [
      "The same reviews, read by an LSTM: a second state c is kept by a gate, c = f c + i g, so that what was read early reaches the end, and the gradient the beginning.",
      "The gates f, i and o are sigmoids of the word and of h; the forget gate begins near 1, so that nothing is forgotten before something is learned.",
    ],
    claims: [{ what: "test accuracy", article: "–", truth: "82 %" }],
    next: [
      { text: "Train, and compare the gradients over time with those of the plain network.", address: "#/sentiment-rnn" },
      { text: "Step through one word: which gate opens, and what does c keep?" },
      { text: "Two gates and no second state.", address: "#/sentiment-gru" },
      { text: "The same on Chinese product reviews.", address: "#/sentiment-lstm?data=reviews-zh" },
    ],
  },
  "sentiment-gru": {
    title: "Opinions, with two gates",
    text: [
      "A GRU keeps one state and mixes it: h = z h + (1 − z) h̃. Where the gate z is near 1, a word changes nothing, and the gradient goes by unchanged; the gate r says how much of the old state the new one sees.",
      "That is three quarters of an LSTM's weights. Is the answer worse for it?",
    ],
    claims: [{ what: "test accuracy", article: "–", truth: "82 %" }],
    next: [
      { text: "Train, and compare with the LSTM, after the same number of epochs.", address: "#/sentiment-lstm" },
      { text: "Step through one word: where is z near 1?" },
    ],
  },
  "backprop-by-hand": {
    title: "Backpropagation by hand",
    text: [
      "One layer of two sigmoid units and one example, small enough to do on paper: x = [0.5, 1], W = [[0.1, 0.2], [0.3, 0.4]], b = [0.1, 0.2], target [0, 1], J is half the sum of squares.",
      "The article's own numbers are wrong, and a computation shows it: z = Wx + b = [0.35, 0.75], so h = [0.5866, 0.6792].",
      "The gradient is dJ/dW = δ xᵀ with δ = (h − y) h (1 − h). The two factors of h come from the sigmoid's slope.",
    ],
    claims: [
      { what: "h", article: "[0.59, 0.82]", truth: "[0.5866, 0.6792]" },
      { what: "J", article: "0.15", truth: "0.2235" },
      { what: "δ", article: "wrong", truth: "[0.1423, −0.0699]" },
    ],
    next: [
      { text: "Compare h with the prediction on the left before any step." },
      { text: "Take one batch, and see which weights moved and by how much." },
      { text: "Train on until the loss is almost nothing." },
    ],
  },
  "sigmoid-2-2-1": {
    title: "Two hidden sigmoids",
    text: [
      "Four points on a line, labelled 0, 1, 1, 0: no straight boundary separates them, so two hidden units must bend it.",
      "Whether they do depends on the learning rate and on the weights it begins with. At Adam's own rate, a thousand epochs are too few; at a hundred times that, one seed solves it and others stick in a local minimum, where one point stays wrong.",
    ],
    claims: [
      { what: "loss after 1000 epochs", article: "0.1047", truth: "0.63 – 0.65 at rate 0.001" },
      { what: "accuracy", article: "100 %", truth: "75 – 100 %" },
      { what: "loss at rate 0.1, three seeds of Keras", article: "–", truth: "0.0008, 0.4775, 0.4775" },
    ],
    next: [
      { text: "Train at rate 0.1 with seed 0: it sticks at 0.4775.", address: "#/sigmoid-2-2-1?learning_rate=0.1&seed=0" },
      { text: "With seed 7 it is solved.", address: "#/sigmoid-2-2-1?learning_rate=0.1&seed=7" },
      { text: "Of the seeds 0 to 7, two solve it here. Add a third hidden unit: does it stick less often?" },
    ],
  },
  "linear-regression": {
    title: "Linear regression",
    text: [
      "A line through five prices, found by gradient descent with half the sum of squares.",
      "On the raw days 1 to 5 a rate of 0.1 diverges: the loss is curved most along one direction, and a step longer than 2 divided by that curvature overshoots further each time. With the inputs standardised the curvature is the same in every direction, and 100 steps suffice.",
    ],
    claims: [
      { what: "rate 0.1, raw inputs", article: "converges", truth: "diverges" },
      { what: "slope a day", article: "–", truth: "2.6" },
      { what: "next price", article: "predicted", truth: "112.8" },
    ],
    next: [
      { text: "Train, and watch the line swing into place." },
      { text: "Now with the raw days: it diverges.", address: "#/linear-regression?data=linear-regression" },
      { text: "The raw days converge too at a rate below 2 / 59.3, slowly.", address: "#/linear-regression?data=linear-regression&learning_rate=0.03" },
    ],
  },
};
