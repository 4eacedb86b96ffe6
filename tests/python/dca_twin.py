"""A second implementation of the DCA types in numpy and float64, made from the formulas of
docs/model.md with backpropagation by hand. It draws quell's random numbers (Philox4x32-10, keyed as
include/quell/rng.h says), so that both start from the same weights and see the cells in the same
order.
"""
import numpy as np
from scipy.special import digamma, expit, gammaln

SHUFFLE, INIT = 2, 3  # streams of random numbers
EPS = 1e-10

# kinds of heads: what the dispersion and the dropout come from, and whether each has its own decoder
TYPES = {
    "normal": (None, None, False),
    "poisson": (None, None, False),
    "nb": ("gene", None, False),
    "nb-conddisp": ("dense", None, False),
    "nb-shared": ("unit", None, False),
    "nb-fork": ("dense", None, True),
    "zinb": ("gene", "dense", False),
    "zinb-conddisp": ("dense", "dense", False),
    "zinb-shared": ("unit", "unit", False),
    "zinb-fork": ("dense", "dense", True),
    "zinb-elempi": ("dense", "element", False),
}


def philox(counter, key):
    """Ten rounds on an array [n, 4] of counters."""
    x = [c.astype(np.uint64) for c in np.asarray(counter, np.uint64).T]
    k0, k1, low = int(key[0]), int(key[1]), np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [(p1 >> np.uint64(32)) ^ x[1] ^ np.uint64(k0), p1 & low,
             (p0 >> np.uint64(32)) ^ x[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(x, axis=1)


def words(seed, stream, a, b, n):
    blocks = np.arange((n + 3) // 4, dtype=np.uint64)
    counter = np.stack([blocks, np.full_like(blocks, b), np.full_like(blocks, a),
                        np.full_like(blocks, stream)], axis=1)
    return philox(counter, (seed & 0xFFFFFFFF, seed >> 32)).ravel()[:n]


def shuffled(rows, seed, epoch):
    """Fisher-Yates from the end, each place by the high word of a product (no word is rejected
    here: that would take more than 2^32 / n words)."""
    rows = list(rows)
    for i, word in zip(range(len(rows) - 1, 0, -1), words(seed, SHUFFLE, epoch, 0, len(rows) - 1)):
        j = int(word) * (i + 1) >> 32
        rows[i], rows[j] = rows[j], rows[i]
    return rows


def glorot(shape, fan_in, fan_out, seed, tensor):
    limit = np.float32(np.sqrt(6 / (fan_in + fan_out)))
    unit = np.stack([words(seed, INIT, tensor, row, shape[1]) for row in range(shape[0])])
    unit = (unit >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    return (limit * (np.float32(2) * unit - np.float32(1))).astype(np.float64)


def clipped(x, low, high):
    """x between its bounds, and 1 where the gradient passes."""
    return np.clip(x, low, high), ((x >= low) & (x <= high)).astype(float)


def nb_loss(y, mu, theta):
    t = theta + EPS
    loss = (gammaln(t) + gammaln(y + 1) - gammaln(y + t) + (theta + y) * np.log1p(mu / t)
            + y * (np.log(t) - np.log(mu + EPS)))
    by_mu = (theta + y) / (t + mu) - y / (mu + EPS)
    by_theta = (digamma(t) - digamma(y + t) + np.log1p(mu / t)
                - (theta + y) * mu / (t * (t + mu)) + y / t)
    return loss, by_mu, by_theta


def zinb_loss(y, mu, theta, pi, ridge):
    loss, by_mu, by_theta = nb_loss(y, mu, theta)
    r = theta / (theta + mu + EPS)
    z = np.exp(theta * np.log(r))
    q = pi + (1 - pi) * z + EPS
    zero = y < 1e-8
    return (np.where(zero, -np.log(q), loss - np.log(1 - pi + EPS)) + ridge * pi**2,
            np.where(zero, (1 - pi) * z * r / q, by_mu),
            np.where(zero, -(1 - pi) * z * (np.log(r) + 1 - r) / q, by_theta),
            np.where(zero, -(1 - z) / q, 1 / (1 - pi + EPS)) + 2 * ridge * pi)


class Net:
    def __init__(self, kind, n_genes, hidden, seed, shared_pi=False):
        self.kind, self.G, self.hidden, self.seed = kind, n_genes, list(hidden), seed
        self.disp, self.pi, self.fork = TYPES[kind]
        self.center = len(hidden) // 2
        self.shared_pi = shared_pi
        self.w, self.state, self.decays, self.tensors = {}, {}, set(), 0
        self.declare()

    def add(self, name, shape, fans=None, trained=True, value=0.0):
        number, self.tensors = self.tensors, self.tensors + 1
        start = np.full(shape, value) if fans is None else glorot(shape, *fans, self.seed, number)
        (self.w if trained else self.state)[name] = start
        if fans is not None:
            self.decays.add(name)

    def add_layer(self, name, i):
        n = self.hidden[i]
        if i > 0:
            self.add(name + "/weight", (n, self.hidden[i - 1]), (self.hidden[i - 1], n))
        self.add(name + "/bias", (1, n))
        self.add(name + "/beta", (1, n))
        self.add(name + "/mean", (1, n), trained=False)
        self.add(name + "/var", (1, n), trained=False, value=1.0)

    def add_head(self, name, kind):
        n = 1 if kind == "unit" or (kind == "element" and self.shared_pi) else self.G
        if kind == "element":
            self.add(name + "/weight", (1, n), (n, n))
        else:
            self.add(name + "/weight", (n, self.hidden[-1]), (self.hidden[-1], n))
        self.add(name + "/bias", (1, n))

    def declare(self):
        n_layers = len(self.hidden)
        self.add("input/weight", (self.G, self.hidden[0]), (self.G, self.hidden[0]))
        for i in range(n_layers):
            self.add_layer(f"layer{i}", i)
        for name, kind in (("mean", "dense"), ("disp", self.disp), ("pi", self.pi)):
            if kind not in (None, "gene"):
                self.add_head(name, kind)
        if self.disp == "gene":
            self.add("log_theta", (1, self.G))
        for branch in ("disp", "pi") if self.fork else ():
            if getattr(self, branch) is not None:
                for i in range(self.center + 1, n_layers):
                    self.add_layer(f"{branch}{i}", i)

    # ---- layers ----

    def path(self, branch):
        own = self.fork and branch != "mean"
        return [f"{branch if own and i > self.center else 'layer'}{i}"
                for i in range(len(self.hidden))]

    def layer(self, name, x, training):
        first = name == "layer0"
        weight = self.w["input/weight"].T if first else self.w[name + "/weight"]
        a = x @ weight.T + self.w[name + "/bias"]
        mean, var = self.state[name + "/mean"], self.state[name + "/var"]
        if training:
            mean, var = a.mean(0, keepdims=True), a.var(0, keepdims=True)
            for key, new in (("/mean", mean), ("/var", var)):
                self.state[name + key] = 0.99 * self.state[name + key] + 0.01 * new
        sd = np.sqrt(var + 1e-3)
        norm = (a - mean) / sd
        out = norm + self.w[name + "/beta"]
        self.cache[name] = (x, norm, sd, out)
        return np.maximum(out, 0)

    def layer_back(self, name, grad):
        x, norm, sd, out = self.cache[name]
        grad = grad * (out > 0)
        self.put(name + "/beta", grad.sum(0, keepdims=True))
        grad = (grad - grad.mean(0) - norm * (grad * norm).mean(0)) / sd
        self.put(name + "/bias", grad.sum(0, keepdims=True))
        if name == "layer0":
            self.put("input/weight", x.T @ grad)
            return None
        self.put(name + "/weight", grad.T @ x)
        return grad @ self.w[name + "/weight"]

    def put(self, name, grad):
        self.grads[name] = self.grads.get(name, 0) + grad

    # ---- heads ----

    def forward(self, x, training):
        self.cache, outs = {}, {}
        for branch, kind in (("mean", "dense"), ("disp", self.disp), ("pi", self.pi)):
            h = x
            for name in self.path(branch) if kind else ():
                if name not in outs:
                    outs[name] = self.layer(name, h, training)
                h = outs[name]
            self.cache["last " + branch] = h
        a = {"mean": self.dense("mean")}
        if self.disp == "gene":
            a["disp"] = self.w["log_theta"]
        elif self.disp:
            a["disp"] = self.dense("disp")
        if self.pi == "element":
            a["pi"] = self.w["pi/weight"] * a["mean"] + self.w["pi/bias"]
        elif self.pi:
            a["pi"] = self.dense("pi")
        return a

    def dense(self, head):
        return self.cache["last " + head] @ self.w[head + "/weight"].T + self.w[head + "/bias"]

    def loss(self, a, y, size, ridge):
        """Loss of each entry, and gradients by the pre-activations, for every entry."""
        if self.kind == "normal":
            error = a["mean"] * size - y
            return error**2, {"mean": 2 * error * size}
        mean, passes = clipped(np.exp(np.minimum(a["mean"], 50)), 1e-5, 1e6)
        mu, grad = mean * size, {}
        if self.disp is None:
            loss, by_mu = mu - y * np.log(mu + EPS) + gammaln(y + 1), 1 - y / (mu + EPS)
            return loss, {"mean": by_mu * mu * passes}
        if self.disp == "gene":
            theta, slope = clipped(np.exp(a["disp"]), 1e-3, 1e4)
            slope = slope * theta
        else:
            theta, slope = clipped(np.logaddexp(0, a["disp"]), 1e-4, 1e4)
            slope = slope * expit(a["disp"])
        if self.pi is None:
            loss, by_mu, by_theta = nb_loss(y, mu, theta)
        else:
            pi = expit(a["pi"])
            loss, by_mu, by_theta, by_pi = zinb_loss(y, mu, theta, pi, ridge)
            grad["pi"] = by_pi * pi * (1 - pi)
        grad.update(mean=by_mu * mu * passes, disp=by_theta * slope)
        return loss, grad

    def element_back(self, a, grad):
        axes = None if self.shared_pi else 0
        shape = (1, -1)
        self.put("pi/weight", (a["mean"] * grad["pi"]).sum(axes).reshape(shape))
        self.put("pi/bias", grad["pi"].sum(axes).reshape(shape))
        grad["mean"] = grad["mean"] + self.w["pi/weight"] * grad["pi"]

    def back(self, a, grad):
        self.grads = {}
        if self.pi == "element":
            self.element_back(a, grad)
        last = {}
        for head, kind in (("mean", "dense"), ("disp", self.disp), ("pi", self.pi)):
            if kind == "gene":
                self.put("log_theta", grad[head].sum(0, keepdims=True))
            if kind not in ("dense", "unit"):
                continue
            g = grad[head].sum(1, keepdims=True) if kind == "unit" else grad[head]
            self.put(head + "/weight", g.T @ self.cache["last " + head])
            self.put(head + "/bias", g.sum(0, keepdims=True))
            branch = head if self.fork else "mean"
            last[branch] = last.get(branch, 0) + g @ self.w[head + "/weight"]
        at_center = 0
        for branch, g in last.items():
            for name in reversed(self.path(branch)[self.center + 1:]):
                g = self.layer_back(name, g)
            at_center = at_center + g
        for name in reversed(self.path("mean")[:self.center + 1]):
            at_center = self.layer_back(name, at_center)


class Training:
    """The settings of --like dca."""

    def __init__(self, counts, kind, hidden=(64, 32, 64), seed=42, batch=32, rate=1e-3, l1=0, l2=0,
                 ridge=0, shared_pi=False):
        y = np.asarray(counts, float)
        self.y, self.seed, self.batch, self.rate = y, seed, batch, rate
        self.l1, self.l2, self.ridge = l1, l2, ridge
        self.size = y.sum(1, keepdims=True) / np.median(y.sum(1))
        x = np.log1p(y / self.size)
        sd = x.std(0, ddof=1)
        self.x = (x - x.mean(0)) / np.where(sd == 0, 1, sd)
        self.net = Net(kind, y.shape[1], hidden, seed, shared_pi)
        self.n_train = int(len(y) * 0.9)
        self.second = {name: np.zeros_like(w) for name, w in self.net.w.items()}

    def entry_losses(self, rows, training):
        net = self.net
        a = net.forward(self.x[rows], training)
        loss, grad = net.loss(a, self.y[rows], self.size[rows], self.ridge)
        return np.broadcast_to(loss, self.y[rows].shape), a, grad

    def step(self, rows):
        loss, a, grad = self.entry_losses(rows, True)
        self.net.back(a, {head: g / loss.size for head, g in grad.items()})
        for name, w in self.net.w.items():
            g = self.net.grads[name]
            if name in self.net.decays:
                g = g + self.l1 * np.sign(w) + 2 * self.l2 * w
            g = np.clip(g, -5, 5)
            self.second[name] = 0.9 * self.second[name] + 0.1 * g**2
            self.net.w[name] = w - self.rate * g / (np.sqrt(self.second[name]) + 1e-7)
        return loss.sum()

    def penalty(self):
        kernels = [self.net.w[name] for name in self.net.decays]
        return sum(self.l1 * np.abs(w).sum() + self.l2 * (w**2).sum() for w in kernels)

    def epoch(self, number):
        order, total = shuffled(range(self.n_train), self.seed, number), 0.0
        for at in range(0, self.n_train, self.batch):
            total += self.step(order[at:at + self.batch])
        valid, _, _ = self.entry_losses(list(range(self.n_train, len(self.y))), False)
        n = self.n_train * self.y.shape[1]
        return total / n + self.penalty(), valid.mean() + self.penalty()
