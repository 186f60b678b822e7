"""The audit: it sees what a model uses, its intervals equal those of a brute-force jackknife, bags are never held."""

import numpy as np
import pytest
import torch
from axonlight.attribution.audit import AuditScore, InputUse, KnockOut, audit_score, input_audit, usual_knock_outs
from axonlight.attribution.audit.memory import Memory
from axonlight.batches import MultimodalInputs
from axonlight.errors import InputError
from axonlight.metrics.survival import concordance_index
from axonlight.models import PathwayNetwork
from axonlight.models.bags import pack
from axonlight.models.fusion import ProtoPathway
from axonlight.structures import Hierarchy
from torch import nn

PATIENTS, GENES, PATCH = 60, 6, 4
HIERARCHY = Hierarchy.from_edges(
    [("cell", f"S{number}") for number in range(3)] + [(f"S{gene % 3}", f"G{gene}") for gene in range(GENES)]
)


class Linear(nn.Module):
    """Risk = rna[0] + 2 * mean patch[0] + clinical[0], each only where it is present."""

    def __init__(self, weights=(1.0, 2.0, 1.0)):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, inputs):
        means = [
            inputs.bags[start:end, 0].mean() if end > start else inputs.rna.new_zeros(())
            for start, end in zip(inputs.pointers, inputs.pointers[1:], strict=False)
        ]
        parts = torch.stack([inputs.rna[:, 0], torch.stack(means), inputs.clinical[:, 0]], dim=1)
        return (parts * inputs.present) @ self.weights


def cohort(sizes=None, seed=0, batch=25):
    """Return batches of patients whose time falls with all three modalities."""
    generator = torch.Generator().manual_seed(seed)
    rna, clinical = torch.randn(PATIENTS, GENES, generator=generator), torch.randn(PATIENTS, 1, generator=generator)
    sizes = torch.randint(1, 6, (PATIENTS,), generator=generator) if sizes is None else sizes
    level = torch.randn(PATIENTS, generator=generator)
    bags = [torch.randn(int(size), PATCH, generator=generator) * 0.1 + level[row] for row, size in enumerate(sizes)]
    present = torch.stack([torch.ones_like(sizes) > 0, sizes > 0, torch.ones_like(sizes) > 0], dim=1)
    risk = rna[:, 0] + 2 * torch.where(sizes > 0, level, 0) + clinical[:, 0]
    time = torch.exp(0.3 * torch.randn(PATIENTS, generator=generator) - risk)
    event = (torch.rand(PATIENTS, generator=generator) < 0.7).float()
    target = torch.stack([time, event], dim=1)
    rows = torch.arange(PATIENTS).split(batch)
    return [
        (MultimodalInputs(rna[part], *pack([bags[row] for row in part]), clinical[part], present[part]), target[part])
        for part in rows
    ]


def joined(batches):
    inputs, targets = zip(*batches, strict=True)
    bags = [part for one in inputs for part in one.bags.split(one.pointers.diff().tolist())]
    parts = {key: torch.cat([getattr(one, key) for one in inputs]) for key in ("rna", "clinical", "present")}
    return parts, bags, torch.cat(targets)


def brute_force_jackknife(after, before, target):
    """Return change and standard error of the mean C over draws by leaving out one patient after another."""

    def change(kept):
        time, event = target[kept].unbind(1)
        scores = [float(concordance_index(draw[kept], time, event)) for draw in after]
        return np.mean(scores) - float(concordance_index(before[kept], time, event))

    everyone = torch.arange(len(target))
    without = np.array([change(everyone[everyone != row]) for row in range(len(target))])
    variance = (len(target) - 1) / len(target) * ((without - without.mean()) ** 2).sum()
    return change(everyone), np.sqrt(variance)


def flat(change):
    return [*change[:5], *change.interval, change.p_value]


def line_of(use, part, probe):
    (found,) = [line for line in use.lines if line.part == part and line.probe == probe]
    return found


def test_change_and_interval_of_several_draws_equal_a_brute_force_jackknife():
    generator = torch.Generator().manual_seed(3)
    before = torch.randn(40, generator=generator, dtype=torch.float64)
    target = torch.stack([torch.exp(-before).round(decimals=1) + 0.1, torch.arange(40) % 3 > 0], dim=1)
    after = torch.stack([before[torch.randperm(40, generator=generator)] for _ in range(4)])
    found = audit_score("c_index").change(before, after, target)
    change, error = brute_force_jackknife(after, before, target)
    assert found.change == pytest.approx(change, abs=1e-12)
    assert found.standard_error == pytest.approx(error, rel=1e-10)
    assert found.after - found.before == pytest.approx(change, abs=1e-12)
    assert found.interval == pytest.approx((change - 1.959964 * error, change + 1.959964 * error), abs=1e-6)


def test_scores_of_rows_have_the_interval_of_a_paired_t_test():
    from scipy.stats import ttest_rel

    generator = torch.Generator().manual_seed(0)
    truth, before, after = torch.randn(3, 50, generator=generator, dtype=torch.float64)
    found = audit_score("squared_error").change(before, after[None], truth)
    reference = ttest_rel((after - truth) ** 2, (before - truth) ** 2)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert found.interval == pytest.approx(tuple(reference.confidence_interval(0.95)), rel=1e-9)


def test_permuted_slides_give_what_moving_the_bags_would_give():
    batches = cohort()
    network = Linear()
    use = input_audit(network, batches, probes=["permute"], draws=3, seed=5)
    parts, bags, target = joined(batches)
    from axonlight.randomness import derive_seed

    moved = []
    for draw in range(3):
        generator = torch.Generator().manual_seed(derive_seed(5, "audit", "slides", draw))
        order = torch.randperm(PATIENTS, generator=generator)
        inputs = MultimodalInputs(
            parts["rna"], *pack([bags[row] for row in order]), parts["clinical"], parts["present"]
        )
        moved.append(network(inputs).detach())
    before = network(MultimodalInputs(parts["rna"], *pack(bags), parts["clinical"], parts["present"])).detach()
    expected = audit_score("c_index").change(before, torch.stack(moved), target)
    assert flat(line_of(use, "slides", "permute").change) == pytest.approx(flat(expected), abs=1e-6)


def test_what_a_model_does_not_use_changes_nothing_and_what_it_uses_does():
    use = input_audit(Linear((1.0, 2.0, 0.0)), cohort(), draws=5)
    for probe in ("permute", "mean", "drop"):
        assert line_of(use, "clinical", probe).change.change == 0
        assert line_of(use, "slides", probe).change.interval[1] < 0
        assert line_of(use, "slides", probe).change.change < line_of(use, "rna", probe).change.change
    everything = line_of(use, "everything", "permute").change
    assert everything.after == pytest.approx(0.5, abs=0.12)
    assert use.repeats
    assert use.table().shape[0] == len(use.lines) == 1 + 9 + 1


def test_rows_that_lack_a_modality_keep_lacking_it():
    sizes = torch.tensor([3, 0] * (PATIENTS // 2))
    seen = []

    class Watching(Linear):
        def forward(self, inputs):
            seen.append((inputs.present[:, 1].clone(), inputs.pointers.diff() > 0))
            return super().forward(inputs)

    use = input_audit(Watching(), cohort(sizes), draws=2)
    assert line_of(use, "slides", "permute").rows == line_of(use, "slides", "drop").rows == PATIENTS // 2
    assert all(torch.equal(present, filled) for present, filled in seen)


def test_mean_imputation_takes_means_of_the_reference_alone():
    batches, reference = cohort(), cohort(seed=9)
    seen = []

    class Watching(Linear):
        def forward(self, inputs):
            seen.append(inputs)
            return super().forward(inputs)

    input_audit(Watching(), batches, reference=reference, probes=["mean"])
    parts, bags, _ = joined(reference)
    patch = torch.stack([bag.mean(0) for bag in bags]).mean(0)
    imputed = [one for one in seen if len(one.bags) == one.num_patients and (one.bags == one.bags[0]).all()]
    assert len(imputed) == len(batches)
    assert torch.allclose(imputed[0].bags[0], patch, atol=1e-6)
    constant = [one for one in seen if (one.rna == one.rna[0]).all()]
    assert len(constant) == len(batches)
    assert torch.allclose(constant[0].rna[0], parts["rna"].mean(0), atol=1e-6)


def test_dropping_leaves_out_whom_nothing_else_is_known_of():
    batches = cohort()
    for inputs, _ in batches:
        inputs.present[:, 0] = inputs.present[:, 2] = False
    use = input_audit(Linear(), batches, probes=["drop"])
    assert [line.title for line in use.lines] == ["nothing changed"]


def test_columns_of_a_table_and_accuracy():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator)
    target = (x[:, 0] > 0).long()
    network = nn.Linear(3, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[5.0, 0.0, 0.0]]))
        network.bias.zero_()
    use = input_audit(
        network,
        list(zip(x.split(64), target.split(64), strict=True)),
        predict=lambda inputs: network(inputs).squeeze(-1).sigmoid(),
        score="accuracy",
        groups={"first": [0], "others": [1, 2]},
        draws=4,
    )
    assert use.value == 1
    assert line_of(use, "first", "permute").change.after == pytest.approx(0.5, abs=0.1)
    assert line_of(use, "others", "permute").change.change == 0
    assert not [line for line in use.lines if line.probe == "drop"]


def test_a_model_that_answers_differently_each_time_is_told():
    use = input_audit(nn.Sequential(Noisy(), nn.Linear(2, 1)), table(), probes=["permute"], draws=2)
    assert not use.repeats
    assert any("differently each time" in sentence for sentence in use.sentences())


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


def table():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 2, generator=generator)
    return [(x, torch.stack([torch.exp(-x[:, 0]), torch.ones(50)], dim=1))]


def test_undefined_scores_are_nan_and_not_a_number():
    (x, target) = table()[0]
    censored = torch.stack([target[:, 0], torch.zeros(50)], dim=1)
    use = input_audit(nn.Linear(2, 1), [(x, censored)], draws=2)
    assert np.isnan(use.value)
    assert np.isnan([line.change.change for line in use.lines]).all()
    assert "undefined" in "\n".join(use.sentences())


def test_refusals_name_key_and_value():
    with pytest.raises(InputError, match="probe is 'shuffle'"):
        input_audit(nn.Linear(2, 1), table(), probes=["shuffle"])
    with pytest.raises(InputError, match="score is 'auroc'"):
        input_audit(nn.Linear(2, 1), table(), score="auroc")
    with pytest.raises(InputError, match="there are no rows"):
        input_audit(nn.Linear(2, 1), [])
    with pytest.raises(InputError, match=r"groups\.a is \[7\]"):
        input_audit(nn.Linear(2, 1), table(), groups={"a": [7]})
    with pytest.raises(InputError, match="draws is 0"):
        input_audit(nn.Linear(2, 1), table(), draws=0)


def test_shuffled_batches_are_refused():
    class Shuffled:
        def __init__(self):
            self.passes = 0

        def __iter__(self):
            self.passes += 1
            (x, target) = table()[0]
            order = torch.randperm(50, generator=torch.Generator().manual_seed(self.passes))
            yield x[order], target[order]

    with pytest.raises(InputError, match="another order"):
        input_audit(nn.Linear(2, 1), Shuffled())


def test_the_network_is_left_as_it_was():
    network = ProtoPathway(GENES, 1, HIERARCHY, patch_features=PATCH, clinical_features=1, num_prototypes=3)
    network.train()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    input_audit(network, cohort(), knock_outs=usual_knock_outs(network), draws=1)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or "forward" in module.__dict__ for module in network.modules())


class TestKnockOuts:
    @pytest.fixture
    def network(self):
        torch.manual_seed(0)
        return ProtoPathway(
            GENES, 1, HIERARCHY, patch_features=PATCH, clinical_features=1, num_prototypes=3, dropout=0.0
        )

    def test_every_pathway_and_prototype_of_a_fusion_network(self, network):
        use = input_audit(network, cohort(), knock_outs=usual_knock_outs(network), probes=[], draws=1)
        names = [line.part for line in use.lines if line.probe == "knock out"]
        assert sorted(names) == sorted([*network.graph.pathways, *network.prototype_names])
        assert use.table()["q_value"].notna().sum() == len(names)

    def test_a_knock_out_is_a_zero_at_the_site(self, network):
        batches = cohort(batch=PATIENTS)
        ((inputs, target),) = batches
        network.eval()
        with torch.no_grad():
            before = network(inputs)[:, 0]
            handle = network.pathways["kept"].register_forward_hook(
                lambda module, args, output: output * torch.tensor([float(name != "S1") for name in module.units])
            )
            after = network(inputs)[:, 0]
            handle.remove()
        assert not torch.equal(before, after)
        use = input_audit(network, batches, knock_outs=[KnockOut("pathways.kept", ["S1"], "zero")], probes=[])
        expected = audit_score("c_index").change(before, after[None], target)
        assert flat(use.lines[-1].change) == pytest.approx(flat(expected), abs=1e-9, nan_ok=True)

    def test_memory_changes_no_answer(self, network, monkeypatch):
        knock_outs = usual_knock_outs(network)
        quick = input_audit(network, cohort(), knock_outs=knock_outs, probes=[])
        reused = []
        monkeypatch.setattr(Memory, "_wrap", lambda self, path: reused.append(path))
        slow = input_audit(network, cohort(), knock_outs=knock_outs, probes=[])
        assert quick.table().equals(slow.table())
        assert "genes.layers" in reused

    def test_memory_spares_the_encoders(self, network):
        calls = []
        network.genes.layers.register_forward_pre_hook(lambda module, args: calls.append(1))
        computed = []
        original = network.genes.layers.forward
        network.genes.layers.forward = lambda *args: (computed.append(1), original(*args))[1]
        batches = cohort()
        input_audit(network, batches, knock_outs=usual_knock_outs(network), probes=[])
        assert len(calls) > 10 * len(batches) / 3
        assert len(computed) <= 3 * len(batches)

    def test_a_node_of_a_pathway_network_keeps_the_mean_of_the_reference(self):
        torch.manual_seed(0)
        network = PathwayNetwork(GENES, 1, hierarchy=HIERARCHY, feature_names=[f"G{gene}" for gene in range(GENES)])
        generator = torch.Generator().manual_seed(1)
        x, other = torch.randn(2, 50, GENES, generator=generator)
        target = torch.stack([torch.rand(50, generator=generator) + 0.1, torch.ones(50)], dim=1)
        (knock_out,) = usual_knock_outs(network)
        one = KnockOut(knock_out.sites, ["S1"])
        predict = lambda inputs: combined_output(network, inputs)  # noqa: E731
        use = input_audit(network, [(x, target)], predict=predict, reference=[(other, target)], knock_outs=[one])
        site = next(site for site in network.sites() if site.name == knock_out.sites)
        place, module = list(site.units).index("S1"), network.get_submodule(site.path)
        network.eval()
        with torch.no_grad():
            values = []
            handle = module.register_forward_hook(lambda module, args, output: values.append(output))
            predict(other)
            before = predict(x)
            handle.remove()
            mean = values[0].mean(0)[place]

            def write(module, args, output):
                output = output.clone()
                output[:, place] = mean
                return output

            handle = module.register_forward_hook(write)
            after = predict(x)
            handle.remove()
        assert not torch.equal(before, after)
        expected = audit_score("c_index").change(before, after[None], target)
        assert flat(use.lines[-1].change) == pytest.approx(flat(expected), abs=1e-6, nan_ok=True)

    def test_unknown_units_and_sites_are_refused_with_the_nearest_names(self, network):
        with pytest.raises(InputError, match="no unit 'S9'; the nearest are S"):
            input_audit(network, cohort(), knock_outs=[KnockOut("pathways.kept", ["S9"])])
        with pytest.raises(InputError, match="matches nothing"):
            input_audit(network, cohort(), knock_outs=[KnockOut("pathway.kept")])
        with pytest.raises(InputError, match="'median'"):
            KnockOut("pathways.kept", value="median")


def combined_output(network, inputs):
    from axonlight.models import combined

    return combined(network(inputs))[:, 0]


def test_scores_of_ones_own():
    score = AuditScore("absolute error", higher_is_better=False, of_rows=lambda y, target: (y - target[:, 0]).abs())
    use = input_audit(nn.Linear(2, 1), table(), score=score, probes=["permute"], draws=1)
    assert isinstance(use, InputUse)
    assert use.sentences()[0].startswith("audit: absolute error")
