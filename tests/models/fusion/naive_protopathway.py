"""The published network in float64 NumPy: edge by edge, token by token, patient by patient, from a state dict alone.

Written from the formulas: GraphSAGE with means (Hamilton et al. 2017), GATv2 (Brody et al. 2022, eq. 7), the cosine
softmax and the three gated streams of ProtoPathway (arXiv 2605.21454).
"""

import numpy as np


def forward(state, graph, inputs, heads, attention_heads):
    """Return outputs (B, T) and the attention (B, K, P) of patients who have everything."""
    state = {name: value.double().numpy() for name, value in state.items()}
    rna, bags = inputs.rna.double().numpy(), inputs.bags.double().numpy()
    pointers = inputs.pointers.tolist()
    found = []
    for patient in range(len(rna)):
        pathways = gene_encoder(state, graph, rna[patient][graph.columns], heads)
        tokens = slide_encoder(state, bags[pointers[patient] : pointers[patient + 1]])
        found.append(fuse(state, pathways, tokens, attention_heads))
    outputs, attention = zip(*found, strict=True)
    return np.stack(outputs), np.stack(attention)


def gene_encoder(state, graph, expression, heads):
    genes, pathways = len(graph.genes), len(graph.pathways)
    neighbours = [[] for _ in range(genes + pathways)]
    for gene, pathway in graph.memberships.T.tolist():
        neighbours[genes + pathway].append(gene)
        neighbours[gene].append(genes + pathway)
    x = [np.array([value]) for value in expression] + [np.zeros(1)] * pathways
    for layer in ("first", "second"):
        x = [leaky(sage(state, f"genes.layers.{layer}", x, node, neighbours[node])) for node in range(len(x))]
    norm = "genes.layers.norm"
    x = [layer_norm(value, state[f"{norm}.weight"], state[f"{norm}.bias"]) for value in x]
    return [leaky(gat(state, x, genes + number, neighbours[genes + number], heads)) for number in range(pathways)]


def sage(state, prefix, x, node, sources):
    mean = sum((x[source] for source in sources), np.zeros_like(x[node])) / max(len(sources), 1)
    own = state[f"{prefix}.itself.weight"] @ x[node]
    return state[f"{prefix}.neighbours.weight"] @ mean + state[f"{prefix}.neighbours.bias"] + own


def gat(state, x, target, sources, heads):
    prefix = "genes.layers.attention"
    width = len(x[0])
    total = np.zeros(width)
    for head in range(heads):
        rows = slice(head * width, (head + 1) * width)
        of_source = [linear(state, f"{prefix}.source", x[source], rows) for source in sources]
        of_target = linear(state, f"{prefix}.target", x[target], rows)
        scores = [state[f"{prefix}.attention"][head] @ leaky(value + of_target, 0.2) for value in of_source]
        for weight, value in zip(softmax(scores), of_source, strict=True):
            total += weight * value
    return total / heads + state[f"{prefix}.bias"]


def slide_encoder(state, patches):
    projected = [linear(state, "slides.projection", patch) for patch in patches]
    prototypes = [linear(state, "slides.projection", prototype) for prototype in state["slides.prototypes"]]
    sums, mass = [np.zeros_like(prototypes[0]) for _ in prototypes], np.zeros(len(prototypes))
    for patch in projected:
        cosines = [patch @ other / np.linalg.norm(patch) / np.linalg.norm(other) for other in prototypes]
        for number, share in enumerate(softmax(np.array(cosines) / 0.1)):
            sums[number] += share * patch
            mass[number] += share
    return [total / max(weight, 1e-6) for total, weight in zip(sums, mass, strict=True)]


def fuse(state, pathways, tokens, heads):
    prefix, width = "interaction.attention", len(tokens[0])
    attended, attention = [], np.zeros((len(tokens), len(pathways)))
    for number, token in enumerate(tokens):
        mixed = []
        for head in range(heads):
            rows = slice(head * width // heads, (head + 1) * width // heads)
            query = linear(state, f"{prefix}.query", token, rows)
            keys = [linear(state, f"{prefix}.key", pathway, rows) for pathway in pathways]
            values = [linear(state, f"{prefix}.value", pathway, rows) for pathway in pathways]
            weights = softmax([query @ key / np.sqrt(width / heads) for key in keys])
            attention[number] += weights / heads
            mixed.append(sum(weight * value for weight, value in zip(weights, values, strict=True)))
        attended.append(linear(state, f"{prefix}.projection", np.concatenate(mixed)))
    streams = {
        "pathway": gated(state, "genes.gate.score", pathways),
        "attended": gated(state, "interaction.gate.score", attended),
        "slide": gated(state, "slide_gate.score", tokens),
    }
    normed = [
        layer_norm(value, state[f"head.norms.{name}.weight"], state[f"head.norms.{name}.bias"])
        for name, value in streams.items()
    ]
    hidden = np.maximum(linear(state, "head.first", np.concatenate(normed)), 0)
    return linear(state, "head.last", hidden), attention


def gated(state, prefix, tokens):
    gates = softmax([linear(state, prefix, token)[0] for token in tokens])
    return sum(gate * token for gate, token in zip(gates, tokens, strict=True))


def linear(state, prefix, x, rows=slice(None)):
    return state[f"{prefix}.weight"][rows] @ x + state[f"{prefix}.bias"][rows]


def layer_norm(x, weight, bias):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * weight + bias


def leaky(x, slope=0.01):
    return np.where(x > 0, x, slope * x)


def softmax(scores):
    shares = np.exp(np.array(scores) - np.max(scores))
    return shares / shares.sum()
