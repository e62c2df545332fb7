# SPDX-License-Identifier: Apache-2.0
"""A trained scikit-learn forest as a few flat NumPy arrays.

scikit-learn's predict_proba() takes 3.5 ms for one row of the 200-tree forest of imu-activity, this one 0.08 ms (scikit-learn
1.2.1, one machine, one run): nearly all of it is the way to the trees, not the trees. Here all trees walk at once, one level a
step, so that a single row costs as many small NumPy calls as the deepest tree has levels. The answers are those of scikit-learn:
the same float32 comparisons at the same thresholds, the same mean.
"""
import numpy as np


class Forest:
    """Takes a fitted RandomForestClassifier or ExtraTreesClassifier with one output. Pickles small; needs no scikit-learn."""

    def __init__(self, model):
        trees = [estimator.tree_ for estimator in model.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        self.classes = [str(name) for name in model.classes_]
        self.features = int(model.n_features_in_)
        self.roots = first
        self.depth = int(max(tree.max_depth for tree in trees))
        leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        own = np.arange(len(leaf), dtype=np.int32)
        offset = np.repeat(first, sizes)
        left = np.concatenate([tree.children_left for tree in trees]).astype(np.int32) + offset
        right = np.concatenate([tree.children_right for tree in trees]).astype(np.int32) + offset
        # A leaf leads to itself, so that no step has to ask whether a tree has come to its end.
        self.children = np.empty(2 * len(leaf), np.int32)
        self.children[0::2] = np.where(leaf, own, right)  # 0: not (x <= threshold)
        self.children[1::2] = np.where(leaf, own, left)  # 1: x <= threshold
        self.feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.int32)
        self.threshold = np.concatenate([tree.threshold for tree in trees]).astype(np.float64)
        counts = np.concatenate([tree.value[:, 0, :] for tree in trees])
        total = counts.sum(axis=1, keepdims=True)
        total[total == 0.0] = 1.0
        self.share = counts / total

    def predict_proba(self, rows):
        """float64[n, classes] for rows [n, features], which must be finite."""
        rows = np.asarray(rows, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows must have the shape [n, {self.features}], not {rows.shape}")
        out = np.empty((len(rows), len(self.classes)))
        # All trees of one row, and of several rows while the work fits the cache.
        block = max(1, 65536 // len(self.roots))
        for start in range(0, len(rows), block):
            out[start : start + block] = self._block(rows[start : start + block])
        return out

    def _block(self, rows):
        n, trees = len(rows), len(self.roots)
        flat = rows.ravel()
        base = np.repeat(np.arange(n, dtype=np.int32) * self.features, trees)
        node = np.tile(self.roots, n)
        for _ in range(self.depth):
            value = flat.take(base + self.feature.take(node))
            node = self.children.take(2 * node + (value <= self.threshold.take(node)))
        share = self.share.take(node, axis=0).reshape(n, trees, -1)
        # Tree after tree, as scikit-learn adds them: another order gives other last bits.
        total = np.add.accumulate(share, axis=1)[:, -1]
        return total / trees
