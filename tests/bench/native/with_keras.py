"""Keras on TensorFlow beside Gradscope: `python with_keras.py THREADS`, which `cargo xtask bench` starts and asks (`frame.py`). Steps are timed as `fit` takes them."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf
from keras import layers

from frame import serve


def cnn(given):
    model = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
    ])
    model.set_weights([given[f"{layer}.{role}"] for layer in ("conv2d", "conv2d_1", "conv2d_2", "dense", "dense_1") for role in ("kernel", "bias")])
    return model


def training(workload, given):
    batch, model = workload["batch"], cnn(given)
    model.compile(keras.optimizers.Adam(**workload["optimizer"]), "sparse_categorical_crossentropy")
    x, y = given["x"], given["y"]
    count, taken = len(x) // batch, 0

    def run(steps, _links):
        nonlocal taken
        losses = []

        class Losses(keras.callbacks.Callback):
            """Keras tells the mean of all batches so far."""

            def on_train_batch_end(self, at, logs=None):
                losses.append(logs["loss"] * (at + 1) - sum(losses))

        while len(losses) < steps:
            begin = taken % count
            end = min(count, begin + steps - len(losses))
            done = [*losses]
            losses.clear()
            model.fit(x[begin * batch : end * batch], y[begin * batch : end * batch], batch_size=batch, shuffle=False, verbose=0, callbacks=[Losses()])
            losses[:0] = done
            taken += end - begin
        return losses

    return run


def predicting(_workload, given):
    model = cnn(given)

    def run(times, _links):
        for _ in range(times):
            outputs = model.predict_on_batch(given["x"])
        return outputs.flatten().tolist()

    return run


def main():
    threads = int(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    openers = {"train": training, "predict": predicting}
    serve(lambda workload, given: openers[workload["kind"]](workload, given), lambda: {"version": f"{keras.__version__} on TensorFlow {tf.__version__}"})


main()
