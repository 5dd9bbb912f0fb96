"""From a fitted network to the next larger family, at the same function.

What was shared becomes many equal copies, what was local a dense layer with zeros: nothing changes
but the freedom to learn.
"""

import copy
from dataclasses import replace

import numpy as np
import torch

from sklcnn.estimators.layers import plan_dense_layers

__all__ = ["free_locality", "free_sharing"]


def free_sharing(network, family):
    """Return the locally connected network of the same function.

    Parameters
    ----------
    network : LCNClassifier, LCNRegressor, CNNClassifier or CNNRegressor
        Fitted.
    family : type
        Its locally connected family.

    Returns
    -------
    larger : LCNClassifier or LCNRegressor
        Fitted; ``warm_start`` is on.
    """
    layers = [
        {
            name: value if name == "threshold" else value[plan.filter_groups]
            for name, value in layer.items()
        }
        for plan, layer in zip(network._plans, _layers(network), strict=True)
    ]
    plans = [
        replace(plan, filter_groups=np.arange(len(plan.filter_groups))) for plan in network._plans
    ]
    return _grow(network, family, plans, layers, _readout(network), {"filter_groups": None})


def free_locality(network, family):
    """Return the fully connected network of the same function.

    Parameters
    ----------
    network : LCNClassifier or LCNRegressor
        Fitted, without pooling by maxima.
    family : type
        Its fully connected family.

    Returns
    -------
    larger : FCNClassifier or FCNRegressor
        Fitted; ``warm_start`` is on.

    Raises
    ------
    ValueError
        If the network pools by maxima.
    """
    if any(plan.pooling == "max" for plan in network._plans):
        raise ValueError(
            f"pooling={network.pooling!r} takes maxima, which no fully connected network of this "
            "depth computes; relax a network that pools by 'mean' or 'sum', or not at all."
        )
    layers, pools = [], np.eye(network.n_features_in_)
    for plan, layer in zip(network._plans, _layers(network), strict=True):
        dense = {"weight": (_dense_weight(plan, layer["weight"], len(pools)) @ pools)[None]}
        if "bias" in layer:
            dense["bias"] = layer["bias"][plan.filter_groups].T.reshape(1, -1)
        else:
            dense["threshold"] = layer["threshold"]
        layers.append(dense)
        pools = _pool_matrix(plan)
    widths = tuple(layer["weight"].shape[1] for layer in layers)
    options = {"n_filters": widths if len(widths) > 1 else widths[0]}
    readout = _readout(network)
    if not readout and not np.array_equal(pools, np.eye(len(pools))):
        options["readout"] = "linear"
        readout = {"readout_weight": np.ones((1, len(pools))), "readout_bias": np.zeros(1)}
    if readout:
        readout["readout_weight"] = readout["readout_weight"] @ pools
    plans = plan_dense_layers(widths, network.n_features_in_)
    return _grow(network, family, plans, layers, readout, options)


def _layers(network):
    """Return the parameters of every hidden layer, in float64."""
    return [
        {
            name: getattr(layer, name).detach().cpu().double().numpy()
            for name in ("weight", "bias", "threshold")
            if hasattr(layer, name)
        }
        for layer in network.module_.hidden_layers
    ]


def _readout(network):
    """Return the parameters of the readout, whose columns are raveled as (filters, positions)."""
    if network.readout == "sum":
        return {}
    module = network.module_
    weight = module.readout_weight.detach().cpu().double().numpy()
    bias = module.readout_bias.detach().cpu().double().numpy()
    return {"readout_weight": weight[:, module.response_order], "readout_bias": bias}


def _dense_weight(plan, weight, n_inputs):
    """Spread filters, (n_groups, n_filters, patch_size), over all inputs, (units, n_inputs)."""
    n_patches, _ = plan.patch_indices.shape
    dense = np.zeros((plan.n_filters, n_patches, n_inputs))
    seen = ~np.ma.getmaskarray(plan.patch_indices)
    patches, entries = np.nonzero(seen)
    features = np.ma.getdata(plan.patch_indices)[seen]
    values = weight[plan.filter_groups[patches], :, entries]  # (n_seen, n_filters)
    np.add.at(dense, (slice(None), patches, features), values.T)
    return dense.reshape(-1, n_inputs)


def _pool_matrix(plan):
    """Return what pooling by sum or mean does to raveled responses, (n_pooled, n_responses)."""
    axes = []
    for side, pool in zip(plan.grid, plan.pool_sides, strict=True):
        windows = np.arange(side) // pool == np.arange(-(-side // pool))[:, None]
        weight = windows.sum(axis=1, keepdims=True) if plan.pooling == "mean" else 1
        axes.append(windows / weight)
    return np.kron(np.eye(plan.n_filters), np.kron(*axes))


def _grow(network, family, plans, layers, readout, options):
    """Return a fitted network of another family with given parameters."""
    names = network.get_params(deep=False).keys()
    taken = {name: getattr(network, name) for name in family._get_param_names() if name in names}
    larger = family(**(taken | {"warm_start": True} | options))
    for name, value in vars(network).items():
        if name not in names:
            setattr(larger, name, copy.copy(value))
    larger._plans = plans
    device = next(network.module_.parameters()).device
    n_outputs = getattr(network.module_, "readout_bias", torch.empty(1)).shape[0]
    kinds = {"activation": network.activation, "readout": larger.readout}
    module = larger._assemble(n_outputs, dtype=getattr(torch, network.dtype), **kinds)
    with torch.no_grad():
        for layer, values in zip(module.hidden_layers, layers, strict=True):
            for name, value in values.items():
                getattr(layer, name).copy_(torch.from_numpy(np.asarray(value)))
        for name, value in readout.items():
            value = torch.from_numpy(value)
            if name == "readout_weight":
                module.readout_weight[:, module.response_order] = value.to(module.readout_weight)
            else:
                module.readout_bias.copy_(value)
    larger.module_ = module.to(device)
    larger._solver_state = [{} for _ in module.parameters()]
    larger._present_layers()
    return larger
