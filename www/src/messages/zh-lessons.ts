import type { Lessons } from "./types.js";

export const lessons: Lessons = {
  welcome: {
    title: "训练好的网络",
    text: [
      "左边是一个手写数字，以及网络认为它是几。中间是网络的各个张量，从输入一直到十个概率。",
      "每层的图中，值小于零处为蓝色，大于零处为橙色。点选一层，可看到它的全部特征图。",
      "卷积用一个小窗口在输入上滑动。在每个位置，它把看到的数与同一组权重相乘，再把乘积相加：这个和就是特征图的一个格子。",
    ],
    next: [
      { text: "把鼠标移到数字上，看那九个乘积。" },
      { text: "自己画一个数字。" },
      { text: "打开 mnist-cnn，按“训练”。", address: "#/mnist-cnn" },
    ],
  },
  "mnist-cnn": {
    title: "MNIST，三层卷积",
    text: [
      "93,322 个参数读 28 × 28 的数字图片。三层卷积依次找出笔画、局部和形状，两层全连接作出判断。",
      "训练时请看第一层的滤波器：开始是噪声，几百个批次之后便成了边缘检测器。",
    ],
    claims: [
      { what: "5 轮后的测试准确率", article: "98.75 %", truth: "98.45 %，第 4 轮后 98.79 %：Keras，一个种子" },
      { what: "每个样本用时", article: "450 µs", truth: "257 µs，Keras，双核" },
    ],
    next: [
      { text: "按“训练”。一轮是 938 个批次，每批 64 个样本。" },
      { text: "让学习率沿余弦下降：可达 99.0 %。", address: "#/mnist-cnn?schedule=cosine" },
      { text: "之后在“评估”中看它错在哪里。" },
    ],
  },
  "mnist-cnn-small": {
    title: "MNIST，一层卷积",
    text: [
      "识别同样数字的小网络。训练集的五分之一留作验证：网络从不用它学习，因此它的曲线说明学到的东西对新数字是否有效。",
      "若训练损失不断下降而验证损失不再下降，网络便是在死记样本。",
    ],
    next: [
      { text: "训练，比较三条曲线。" },
      { text: "在最后的 Dense 前加一层 Dropout，再训练一次。" },
      { text: "不用 Adam，改用普通的梯度下降。", address: "#/mnist-cnn-small?optimizer=sgd&learning_rate=0.05" },
    ],
  },
  "backprop-by-hand": {
    title: "手算反向传播",
    text: [
      "一层两个 sigmoid 单元，一个样本，小到可以在纸上算：x = [0.5, 1]，W = [[0.1, 0.2], [0.3, 0.4]]，b = [0.1, 0.2]，目标 [0, 1]，J 是平方和的一半。",
      "文章里的数字是错的，一算便知：z = Wx + b = [0.35, 0.75]，所以 h = [0.5866, 0.6792]。",
      "梯度是 dJ/dW = δ xᵀ，其中 δ = (h − y) h (1 − h)。两个含 h 的因子来自 sigmoid 的斜率。",
    ],
    claims: [
      { what: "h", article: "[0.59, 0.82]", truth: "[0.5866, 0.6792]" },
      { what: "J", article: "0.15", truth: "0.2235" },
      { what: "δ", article: "有误", truth: "[0.1423, −0.0699]" },
    ],
    next: [
      { text: "训练之前，把左边的预测与 h 对照。" },
      { text: "走一个批次，看哪些权重动了、动了多少。" },
      { text: "继续训练，直到损失几乎为零。" },
    ],
  },
  "sigmoid-2-2-1": {
    title: "两个隐藏的 sigmoid",
    text: [
      "一条直线上的四个点，标签为 0、1、1、0：没有直线能把它们分开，两个隐藏单元必须把边界弯过来。",
      "能否做到，取决于学习率和初始权重。用 Adam 的默认学习率，一千轮不够；放大一百倍后，有的种子能解决，有的陷在局部极小值里，总有一个点是错的。",
    ],
    claims: [
      { what: "1000 轮后的损失", article: "0.1047", truth: "学习率 0.001 时为 0.63 – 0.65" },
      { what: "准确率", article: "100 %", truth: "75 – 100 %" },
      { what: "学习率 0.1，Keras 三个种子的损失", article: "–", truth: "0.0008、0.4775、0.4775" },
    ],
    next: [
      { text: "学习率 0.1，种子 0：停在 0.4775。", address: "#/sigmoid-2-2-1?learning_rate=0.1&seed=0" },
      { text: "种子 7 则能解决。", address: "#/sigmoid-2-2-1?learning_rate=0.1&seed=7" },
      { text: "种子 0 到 7 之中，这里有两个能解决。加上第三个隐藏单元：还会常常卡住吗？" },
    ],
  },
  "linear-regression": {
    title: "线性回归",
    text: [
      "用梯度下降和平方和的一半，求穿过五个价格的直线。",
      "直接用第 1 至 5 天作输入，学习率 0.1 会发散：损失沿某个方向弯得最厉害，步长一旦超过 2 除以该曲率，每一步都会越冲越远。把输入标准化之后，各方向曲率相同，100 步就够了。",
    ],
    claims: [
      { what: "学习率 0.1，原始输入", article: "收敛", truth: "发散" },
      { what: "每天的斜率", article: "–", truth: "2.6" },
      { what: "下一个价格", article: "给出预测", truth: "112.8" },
    ],
    next: [
      { text: "训练，看直线摆到位。" },
      { text: "换成原始的天数：发散。", address: "#/linear-regression?data=linear-regression" },
      { text: "学习率低于 2 / 59.3 时，原始天数也会收敛，只是很慢。", address: "#/linear-regression?data=linear-regression&learning_rate=0.03" },
    ],
  },
};
