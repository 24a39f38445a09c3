// Going back over batches with a preset on a software GPU: minutes.

import { thereAndBack } from "./there-and-back.mjs";

thereAndBack({ backend: "webgpu", model: "mnist-cnn-small", batchSize: 16 });
