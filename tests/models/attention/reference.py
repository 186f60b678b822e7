"""The network a second time, in NumPy: one sequence and one head at a time, rotations as complex numbers."""

import numpy as np


def reference_forward(weights, exemplars, labels, heads, base=1e4):
    """Return every intermediate value of one sequence by the name of its site: exemplars (E, F), labels (E - 1)."""
    found = {}
    tokens = []
    for number, exemplar in enumerate(exemplars):
        tokens.append(weights["exemplar_embedding.weight"] @ exemplar + weights["exemplar_embedding.bias"])
        if number < len(labels):
            tokens.append(weights["label_embedding.weight"][labels[number]])
    x = found["embedding"] = np.stack(tokens)
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    for layer in range(layers):
        prefix = f"blocks.{layer}.attention."
        added, values = _attention(
            {k[len(prefix) :]: w for k, w in weights.items() if k.startswith(prefix)}, x, heads, base
        )
        found |= {prefix + name: value for name, value in values.items()}
        x = found[f"blocks.{layer}.residual"] = x + added
    final = _layer_norm(x[-1], weights["norm.weight"], weights["norm.bias"])
    found["logits"] = weights["readout.weight"] @ final + weights["readout.bias"]
    return found


def _attention(weights, x, heads, base):
    width = x.shape[1]
    size = width // heads
    normed = np.stack([_layer_norm(row, weights["norm.weight"], weights["norm.bias"]) for row in x])
    projected = normed @ weights["qkv.weight"].T
    names = ("q", "k", "v", "scores", "pattern", "head_output")
    found = {name: [] for name in names}
    for head in range(heads):
        q, k, v = (projected[:, part * width + head * size : part * width + (head + 1) * size] for part in range(3))
        q, k = _rotated(q, base), _rotated(k, base)
        scores = np.array([[q_row @ k_row / np.sqrt(size) for k_row in k] for q_row in q])
        pattern = np.zeros_like(scores)
        for row in range(len(x)):
            weight = np.exp(scores[row, : row + 1])
            pattern[row, : row + 1] = weight / weight.sum()
        for name, value in zip(names, (q, k, v, scores, pattern, pattern @ v), strict=True):
            found[name].append(value)
    found = {name: np.stack(values) for name, values in found.items()}
    output = np.concatenate(list(found["head_output"]), axis=1) @ weights["projection.weight"].T
    return output, {**found, "output": output}


def _rotated(x, base):
    half = x.shape[1] // 2
    turn = np.exp(1j * np.arange(len(x))[:, None] * base ** (-np.arange(half) / half))
    turned = (x[:, :half] + 1j * x[:, half:]) * turn
    return np.concatenate([turned.real, turned.imag], axis=1)


def _layer_norm(row, weight, bias):
    return (row - row.mean()) / np.sqrt(row.var() + 1e-5) * weight + bias
