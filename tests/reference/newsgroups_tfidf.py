"""The preset `newsgroups-tfidf` in scikit-learn: same words, same weights, softmax regression and naive Bayes.

    python tests/reference/newsgroups_tfidf.py    # after `cargo xtask data newsgroups`

The tokeniser is that of `src/data/words.rs`, so that the columns are the engine's own. Prints test accuracies: what `tests/accuracy.rs` is to be compared with.
"""

import collections

import numpy
import sklearn
from documents import ROOT, part, words
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier

WORDS = 5000


def main():
    (train, y), (test, truth) = part("newsgroups", "train"), part("newsgroups", "test")
    y, truth = numpy.array(y), numpy.array(truth)
    stop = set((ROOT / "src/data/stop-words.txt").read_text().split())
    held_out = int(len(y) * 0.8)
    for name, leave_out in [("all words", set()), ("without stop words", stop)]:
        counts = collections.Counter(word for text in train for word in words(text) if word not in leave_out)
        vocabulary = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORDS]]
        tfidf = TfidfVectorizer(vocabulary=vocabulary, tokenizer=words, lowercase=False, token_pattern=None)
        x, x_test = tfidf.fit_transform(train), tfidf.transform(test)
        network = MLPClassifier((), solver="adam", alpha=0, batch_size=32, learning_rate_init=0.01, epsilon=1e-7, max_iter=10, tol=0, n_iter_no_change=99, random_state=1)
        models = [
            ("naive Bayes", MultinomialNB()),
            ("logistic regression", LogisticRegression(C=10, max_iter=300)),
            ("Adam, batches of 32, 10 epochs, four fifths", network),
        ]
        for model_name, model in models:
            rows = held_out if model is network else len(y)
            model.fit(x[:rows], y[:rows])
            print(f"{name}, {model_name}: {model.score(x_test, truth):.4f}")
    print(f"scikit-learn {sklearn.__version__}")


if __name__ == "__main__":
    main()
