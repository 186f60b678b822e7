"""Losses of survival written down one patient at a time, in float64."""

import math

import numpy as np


def cox(eta, time, event, ties, strata=None):
    """Return the negative log partial likelihood per event; each stratum has risk sets of its own."""
    eta, time, event = (np.asarray(values, dtype=np.float64) for values in (eta, time, event))
    strata = np.zeros(len(eta)) if strata is None else np.asarray(strata)
    total, count = 0.0, 0
    for stratum in set(strata.tolist()):
        rows = [i for i in range(len(eta)) if strata[i] == stratum]
        for when in sorted({time[i] for i in rows if event[i]}):
            deaths = [i for i in rows if event[i] and time[i] == when]
            at_risk = [i for i in rows if time[i] >= when]
            largest = max(eta[i] for i in at_risk)
            risk = sum(math.exp(eta[i] - largest) for i in at_risk)
            dead = sum(math.exp(eta[i] - largest) for i in deaths)
            for number, i in enumerate(deaths):
                share = number / len(deaths) if ties == "efron" else 0.0
                total -= eta[i] - largest - math.log(risk - share * dead)
                count += 1
    return total / max(count, 1)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def discrete_time(logits, bins, event, alpha):
    """Return the published loss of each patient: products of probabilities, as in the published code."""
    losses = []
    for row, y, e in zip(logits, bins, event, strict=True):
        hazards = [sigmoid(value) for value in row]
        survival = [1.0, *np.cumprod([1 - hazard for hazard in hazards])]
        uncensored = -e * (math.log(survival[y]) + math.log(hazards[y]))
        censored = -(1 - e) * math.log(survival[y + 1])
        losses.append((1 - alpha) * (censored + uncensored) + alpha * uncensored)
    return losses


def mass_of_scores(scores):
    weights = [math.exp(score) for score in [*scores, 0.0]]
    return [weight / sum(weights) for weight in weights]


def mtlr_mass(row):
    """Return the probability of each of the T + 1 sequences 0 ... 0 1 ... 1, by their scores."""
    weights = []
    for first in range(len(row) + 1):
        sequence = [0] * first + [1] * (len(row) - first)
        weights.append(math.exp(sum(y * value for y, value in zip(sequence, row, strict=True))))
    return [weight / sum(weights) for weight in weights]


def likelihood(mass, y, e):
    return -math.log(mass[y]) if e else -math.log(sum(mass[y + 1 :]))


def mtlr(logits, bins, event):
    rows = zip(logits, bins, event, strict=True)
    return float(np.mean([likelihood(mtlr_mass(row), y, e) for row, y, e in rows]))


def pairs(time, event):
    """Yield who is known to have the event before whom."""
    for i in range(len(time)):
        for j in range(len(time)):
            if event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                yield i, j


def deephit(logits, bins, event, alpha, sigma):
    masses = [mass_of_scores(row) for row in logits]
    nll = np.mean([likelihood(mass, y, e) for mass, y, e in zip(masses, bins, event, strict=True)])
    terms = []
    for i, j in pairs(bins, event):
        lead = sum(masses[i][: bins[i] + 1]) - sum(masses[j][: bins[i] + 1])
        terms.append(math.exp(-lead / sigma))
    return float(alpha * nll + (1 - alpha) * (np.mean(terms) if terms else 0.0))


def ranking(risk, time, event, sigma):
    terms = [math.log1p(math.exp(-(risk[i] - risk[j]) / sigma)) for i, j in pairs(time, event)]
    return float(np.mean(terms)) if terms else 0.0
