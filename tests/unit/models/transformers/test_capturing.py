import cloudpickle
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from evoray.models.transformers.load import collector, let_travel


def test_a_collector_arrives_as_the_other_process_s_own():
    let_travel()
    assert cloudpickle.loads(cloudpickle.dumps(collector())) is collector()


def test_a_network_that_looks_at_its_hidden_states_travels():
    sizes = {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8}
    torch.manual_seed(0)
    model = SegformerForSemanticSegmentation(SegformerConfig(**sizes, num_labels=3)).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = model(images).logits  # hangs its hooks on it
        let_travel()
        found = cloudpickle.loads(cloudpickle.dumps(model))(images).logits
    torch.testing.assert_close(found, expected)  # kernels round as memory is aligned
    assert found.shape == (2, 3, 8, 8)


def test_versions_without_hooks(monkeypatch):
    from evoray.models.transformers import load as capturing

    def none():
        raise ImportError("no module output_capturing")

    monkeypatch.setattr(capturing, "collector", none)
    assert capturing.let_travel() is None
