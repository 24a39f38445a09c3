import type { bench as english } from "./en-bench.js";
import type { MisnamedOf } from "./types.js";

/** The same in Chinese. */
export const bench = {
  "title": "测量这台设备",
  "text": "这里会在 CPU 和 WebGPU 上训练两个小网络，并把每一步的用时与这台设备的极限（不等待任何数据的乘加运算）相比较。训练用的是随机噪声，因此无需下载任何数据；换成真实数据，每步用时相同。大约需要一分钟，测量时最好不要运行其他程序。",
  "start": "开始测量",
  "stop": "停止",
  "copy": "复制为 JSON",
  "copied": "已复制。",
  "notCopied": "浏览器不允许复制。",
  "waiting": "尚未测量。",
  "calibrating": "正在测量设备的极限",
  "opening": "{network}，{device}：正在打开",
  "timing": "{network}，{device}：第 {round} 轮，共 {rounds} 轮",
  "done": "完成。",
  "stopped": "已停止。",
  "bounds": "这台设备的极限",
  "bound.cpu1": "CPU，单线程",
  "bound.cpuAll": "CPU，{n} 个线程同时运行",
  "bound.gpu": "WebGPU，{adapter}",
  "bound.gpuUnknown": "WebGPU",
  "bound.gflops": "GFLOP/s",
  "bound.bandwidth": "GB/s",
  "bound.dispatch": "每次调度 µs",
  "bound.text": "CPU 为 128 位乘加，着色器为 32 位乘加；带宽为复制时读写的字节数；调度为同一通道中许多次空调度的平均用时。",
  "cnn": "mnist-cnn，批量 {batch}",
  "gpt": "GPT，批量 {batch}",
  "cnn.text": "93,322 个参数，在 28×28 图像上做三次卷积，Adam。",
  "gpt.text": "818,176 个参数，四个模块，每个四个头，上下文 64 个字符，AdamW。",
  "device.cpu1": "CPU，1 个 worker",
  "device.cpuAll": "CPU，{n} 个 worker",
  "device.webgpu": "WebGPU",
  "column.what": "设备",
  "column.ms": "每步 ms",
  "column.spread": "最小到最大",
  "column.first": "首步 ms",
  "column.share": "占极限",
  "here": "本机：{device}",
  "shipped": "灰色各行于 {date} 测得：{browser}，{cores} 核（{cpu}）。那里的 WebGPU 是软件适配器。",
  "quick": "快速查看：小批量、只测一轮，供测试使用。这样的用时不能与其他结果比较。",
  "oneWorker": "本页没有与其他来源隔离，worker 之间无法共享内存，因此只用一个 worker。",
} as const;

/** `tsc` fails here if a text names an argument that the English one lacks, or lacks one that it names, or has a key of its own. */
export const sameArguments: MisnamedOf<typeof english, typeof bench> extends never ? Exclude<keyof typeof bench, keyof typeof english> extends never ? true : never : never = true;
