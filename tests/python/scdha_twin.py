"""A second implementation of scDHA's networks in numpy and float64, made from the formulas of
docs/scdha.md with backpropagation by hand. It draws quell's random numbers (dca_twin.py)."""
import numpy as np
from dca_twin import glorot, words

SHUFFLE, SAMPLE, LATENT = 2, 80, 81
FILTER_SEED = 1 << 62
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772


def normal(word):
    """The normal quantile of a word, by AS 241."""
    u = (np.asarray(word, np.float64) + 0.5) * 2.0**-32
    q = u - 0.5

    def value(over, under, x):
        return np.polyval(over[::-1], x) / np.polyval(under[::-1], x)

    x = q * value([3.3871327179, 50.434271938, 159.29113202, 59.109374720],
                  [1, 17.895169469, 78.757757664, 67.187563600], 0.180625 - q * q)
    r = np.sqrt(-np.log(np.where(q < 0, u, 1 - u)))
    side = value([1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103],
                 [1, 0.73700164250, 0.12021132975, 0], r - 1.6)
    tail = value([6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997],
                 [1, 0.24197894225, 0.012258202635, 0], r - 5)
    return np.where(np.abs(q) <= 0.425, x, np.sign(q) * np.where(r <= 5, side, tail))


def shuffled(n, seed, stream, a):
    rows = list(range(n))
    for i, word in zip(range(n - 1, 0, -1), words(seed, stream, a, 0, n - 1)):
        j = int(word) * (i + 1) >> 32
        rows[i], rows[j] = rows[j], rows[i]
    return rows


def selu(x):
    return SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0)))


def selu_slope(x):
    return SCALE * np.where(x > 0, 1, ALPHA * np.exp(np.minimum(x, 0)))


def inputs(counts):
    """The scaled cells, and the genes that they have."""
    kept = np.flatnonzero((counts != 0).any(axis=0))
    x = counts[:, kept].astype(np.float64)
    if counts.max() - counts.min() > 100:
        x = np.log2(x + 1)
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    return (x - low) / np.where(high > low, high - low, 1), kept


class AdamW:
    def __init__(self, weights, rate, decay):
        self.w, self.rate, self.decay, self.t = weights, rate, decay, 0
        self.m = {k: np.zeros_like(v) for k, v in weights.items()}
        self.v = {k: np.zeros_like(v) for k, v in weights.items()}

    def step(self, grad):
        self.t += 1
        for k, g in grad.items():
            self.m[k] = 0.9 * self.m[k] + 0.1 * g
            self.v[k] = 0.999 * self.v[k] + 0.001 * g * g
            root = np.sqrt(self.v[k]) / np.sqrt(1 - 0.999**self.t) + 1e-7
            self.w[k] = (self.w[k] * (1 - self.rate * self.decay)
                         - self.rate / (1 - 0.9**self.t) * self.m[k] / root)


def batches(n, size, seed, epoch):
    order = shuffled(n, seed, SHUFFLE, epoch)
    return [order[i:i + size] for i in range(0, n - size + 1, size)]


def sample(n, n_train, seed):
    if n_train == n:
        return list(range(n))
    return sorted(shuffled(n, seed, SAMPLE, 0)[:n_train])


def filter_scores(x, seed, n_train, batch, epochs=10, width=32, decay=1e-6):
    cells, d = x[sample(len(x), n_train, seed)], x.shape[1]
    seed += FILTER_SEED
    w = {"in": glorot((d, width), d, width, seed, 0), "b": np.zeros(width),
         "out": glorot((d, width), width, d, seed, 2), "c": np.zeros(d)}
    opt = AdamW(w, 1e-3, decay)
    for epoch in range(epochs):
        for rows in batches(n_train, batch, seed, epoch):
            b = cells[rows]
            h = b @ w["in"] + w["b"]
            e = 2 * (h @ w["out"].T + w["c"] - b) / b.size
            by_h = e @ w["out"]
            opt.step({"in": b.T @ by_h, "b": by_h.sum(0), "out": e.T @ h, "c": e.sum(0)})
            w["in"] = np.maximum(w["in"], 0)
    sd = w["in"].std(axis=1, ddof=1)
    return (sd - sd.min()) / (sd.max() - sd.min())


class Model:
    def __init__(self, d, seed, norm, cell_noise, hidden=64, latent=15, beta=100, rate=5e-4,
                 decay=1e-3):
        self.seed, self.norm, self.cell_noise, self.beta = seed, norm, cell_noise, beta
        self.d, self.latent, self.rate, self.decay, self.steps = d, latent, rate, decay, 0
        self.w = {"W": glorot((d, hidden), d, hidden, seed, 0), "b": np.zeros(hidden),
                  "gamma": np.ones(hidden), "beta": np.zeros(hidden),
                  "M": glorot((hidden, latent), hidden, latent, seed, 4), "m": np.zeros(latent),
                  "V": glorot((hidden, latent), hidden, latent, seed, 6), "v": np.zeros(latent)}
        for j in (0, 1):
            self.w.update({f"A{j}": glorot((latent, hidden), latent, hidden, seed, 8 + 4 * j),
                           f"a{j}": np.zeros(hidden),
                           f"B{j}": glorot((d, hidden), hidden, d, seed, 10 + 4 * j),
                           f"c{j}": np.zeros(d)})
        self.mean, self.var = np.zeros(hidden), np.ones(hidden)
        self.restart()

    def restart(self):
        self.opt = AdamW(self.w, self.rate, self.decay)

    def noise(self, n, j):
        cells = range(n) if self.cell_noise else [0]
        xi = [normal(words(self.seed, LATENT, self.steps, 2 * i + j, self.latent)) for i in cells]
        return np.broadcast_to(np.stack(xi), (n, self.latent))

    def step(self, x, main):
        w, g, n = self.w, {}, len(x)
        before = x @ w["W"] + w["b"]
        if self.norm:
            mean, var = before.mean(0), before.var(0)
            self.mean = 0.99 * self.mean + 0.01 * mean
            self.var = 0.99 * self.var + 0.01 * var * n / (n - 1)
            norm = (before - mean) / np.sqrt(var + 1e-3)
            e = w["gamma"] * norm + w["beta"]
        else:
            e = selu(before)
        mu, u = e @ w["M"] + w["m"], e @ w["V"] + w["v"]
        var_z = np.exp(u - u.max(1, keepdims=True))
        var_z /= var_z.sum(1, keepdims=True)
        by_mu, by_var = np.zeros_like(mu), np.zeros_like(mu)
        for j in (0, 1):
            xi = self.noise(n, j)
            z = mu + 0.25 * np.sqrt(var_z) * xi
            pre = z @ w[f"A{j}"] + w[f"a{j}"]
            h = selu(pre)
            err = h @ w[f"B{j}"].T + w[f"c{j}"] - x
            by_y = (2 * self.beta * err if main else np.sign(err)) / err.size
            g[f"B{j}"], g[f"c{j}"] = by_y.T @ h, by_y.sum(0)
            by_pre = by_y @ w[f"B{j}"] * selu_slope(pre)
            g[f"A{j}"], g[f"a{j}"] = z.T @ by_pre, by_pre.sum(0)
            by_z = by_pre @ w[f"A{j}"].T
            by_mu += by_z
            by_var += by_z * 0.25 * xi / (2 * np.sqrt(var_z))
        by_u = var_z * (by_var - (var_z * by_var).sum(1, keepdims=True))
        if main:
            by_mu += 2 * mu / (n * self.latent)
            by_u += (var_z - 1 / self.latent) / n
        g.update(M=e.T @ by_mu, m=by_mu.sum(0), V=e.T @ by_u, v=by_u.sum(0))
        by_e = by_mu @ w["M"].T + by_u @ w["V"].T
        if self.norm:
            g.update(gamma=(by_e * norm).sum(0), beta=by_e.sum(0))
            by_e = w["gamma"] / np.sqrt(var + 1e-3) * (
                by_e - by_e.mean(0) - norm * (by_e * norm).mean(0))
        else:
            by_e = by_e * selu_slope(before)
        g.update(W=x.T @ by_e, b=by_e.sum(0))
        self.steps += 1
        self.opt.step(g)

    def encode(self, x):
        w = self.w
        e = x @ w["W"] + w["b"]
        if self.norm:
            e = w["gamma"] * (e - self.mean) / np.sqrt(self.var + 1e-3) + w["beta"]
        else:
            e = selu(e)
        return e @ w["M"] + w["m"]


def latents(x, seed, n_train, batch, cell_noise, warm_up=10, epochs=20, models=3, snapshots=3):
    """The latent spaces in quell's order."""
    out = []
    for i in range(models):
        cells = x[sample(len(x), n_train, seed + i + 1)]
        net = Model(x.shape[1], seed + i + 1, n_train > 500, cell_noise)
        for epoch in range(warm_up + epochs + snapshots):
            if epoch == warm_up:
                net.restart()
            for rows in batches(n_train, batch, net.seed, epoch):
                net.step(cells[rows], epoch >= warm_up)
            if epoch >= warm_up + epochs:
                out.append(net.encode(x))
    return out
