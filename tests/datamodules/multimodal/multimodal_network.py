"""The smallest network of several modalities: means of the patches, joined with the rest."""

import torch
from axonlight.models import SurvivalTask
from axonlight.models.bags import segment_mean
from torch import nn


class MeanFusion(nn.Module):
    def __init__(self, in_features, out_features, patch_features=0, clinical_features=0):
        super().__init__()
        self.head = nn.Linear(in_features + patch_features + clinical_features + 3, out_features)

    def forward(self, inputs):
        slides = segment_mean(inputs.bags, inputs.pointers)
        return self.head(torch.cat([inputs.rna, slides, inputs.clinical, inputs.present.float()], dim=1))


def task_for(data):
    torch.manual_seed(0)
    sizes = {"patch_features": data.num_patch_features, "clinical_features": data.num_clinical}
    return SurvivalTask(MeanFusion, in_features=data.num_features, **sizes)
