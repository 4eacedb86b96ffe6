"""What quell is compared with. Each peer is a function of (counts seen as csr, seed) that returns
{"prediction": expected counts at the cell's own depth [cells, genes], "latent": [cells, dimensions] or None}.

Where a method leaves a choice that matters (rank, neighbours) every value is a row of its own, and what quell is held
against is the one that is best on the held-out molecules: a choice that quell's own estimates are not given.

Smoothed counts are 0 where no neighbour has a molecule, which the likelihood never forgives. Such methods have a second
row, "... mixed", in which a share of gene mean x depth is mixed in.
"""
import numpy as np


def gene_means(seen, seed):
    gene, depth = seen.sum(0).A1.astype(np.float64), seen.sum(1).A1.astype(np.float64)
    return {"prediction": np.outer(depth, gene / gene.sum()), "latent": None}


def mixed(method, share):
    """A method's prediction, of which so much is gene mean x depth."""
    def run(seen, seed):
        made = method(seen, seed)
        made["prediction"] = (1 - share) * made["prediction"] + share * gene_means(seen, seed)["prediction"]
        return made
    return run


def poisson_nmf(rank):
    """Factors of the counts under the Kullback-Leibler loss, which is Poisson likelihood."""
    def run(seen, seed):
        from sklearn.decomposition import NMF
        model = NMF(rank, init="nndsvda", solver="mu", beta_loss="kullback-leibler", max_iter=400, random_state=seed)
        cells = model.fit_transform(seen.astype(np.float64))
        return {"prediction": cells @ model.components_, "latent": cells}
    return run


def knn_smoothing(k):
    """Mean of the counts of the k nearest cells, by 30 principal components of log counts."""
    def run(seen, seed):
        from sklearn.decomposition import TruncatedSVD
        from sklearn.neighbors import NearestNeighbors
        depth = seen.sum(1).A1.astype(np.float64)
        logs = seen.multiply((np.median(depth) / depth)[:, None]).tocsr()
        logs.data = np.log1p(logs.data)
        latent = TruncatedSVD(30, random_state=seed).fit_transform(logs)
        near = NearestNeighbors(n_neighbors=k).fit(latent).kneighbors_graph(latent)
        pooled = (near @ seen).toarray().astype(np.float64) + 1e-3 * gene_means(seen, seed)["prediction"]
        return {"prediction": pooled / pooled.sum(1, keepdims=True) * depth[:, None], "latent": latent}
    return run


def magic(seen, seed):
    """MAGIC as its tutorial has it: counts scaled to the median depth, square root, then diffusion."""
    import magic as package
    import scprep
    depth = seen.sum(1).A1.astype(np.float64)
    x = scprep.transform.sqrt(scprep.normalize.library_size_normalize(seen.toarray().astype(np.float64)))
    smooth = np.square(np.maximum(np.asarray(package.MAGIC(random_state=seed, verbose=0, n_jobs=1).fit_transform(x)), 0))
    return {"prediction": smooth / smooth.sum(1, keepdims=True) * depth[:, None], "latent": None}


def scvi(seen, seed):
    """scvi-tools with its defaults and early stopping; the mean of 10 samples of its rates a cell."""
    import anndata
    import scvi as package
    package.settings.seed = seed
    a = anndata.AnnData(seen.astype(np.float32))
    package.model.SCVI.setup_anndata(a)
    model = package.model.SCVI(a)
    model.train(early_stopping=True, accelerator="cpu", enable_progress_bar=False)
    depth = seen.sum(1).A1.astype(np.float64)
    rate = model.get_normalized_expression(library_size=1, n_samples=10, return_numpy=True)
    return {"prediction": rate * depth[:, None], "latent": model.get_latent_representation()}


class _Dca:
    """DCA's network of type nb-conddisp with its settings, in PyTorch: DCA itself can no longer be installed."""
    HIDDEN = [64, 32, 64]

    def __init__(self, genes):
        import torch.nn as nn
        widths = [genes] + self.HIDDEN
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.norm = nn.ModuleList(nn.BatchNorm1d(w, eps=1e-3, momentum=0.01) for w in self.HIDDEN)
        self.mean, self.disp = nn.Linear(widths[-1], genes), nn.Linear(widths[-1], genes)
        self.all = nn.ModuleList([self.dense, self.norm, self.mean, self.disp])
        for module in self.all.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for norm in self.norm:
            norm.weight.requires_grad_(False)

    def __call__(self, z):
        import torch
        import torch.nn.functional as F
        for i, (dense, norm) in enumerate(zip(self.dense, self.norm)):
            z = dense(z)
            if i == len(self.HIDDEN) // 2:
                latent = z
            z = F.relu(norm(z))
        mean = torch.clamp(torch.exp(self.mean(z)), 1e-5, 1e6)
        return latent, mean, torch.clamp(F.softplus(self.disp(z)), 1e-4, 1e4)


def _nb_loss(x, mu, theta):
    import torch
    eps = 1e-10
    theta = torch.clamp(theta, max=1e6)
    a = torch.lgamma(theta + eps) + torch.lgamma(x + 1) - torch.lgamma(x + theta + eps)
    b = (theta + x) * torch.log1p(mu / (theta + eps)) + x * (torch.log(theta + eps) - torch.log(mu + eps))
    return (a + b).mean()


def dca(seen, seed, epochs=300):
    import torch
    torch.manual_seed(seed)
    kept = seen.sum(0).A1 > 0
    counts = seen[:, kept].toarray().astype(np.float32)
    factor = (counts.sum(1) / np.median(counts.sum(1))).astype(np.float32)[:, None]
    z = np.log1p(counts / factor)
    sd = z.std(0, ddof=1)
    z = torch.from_numpy(((z - z.mean(0)) / np.where(sd > 0, sd, 1)).astype(np.float32))
    y, factor = torch.from_numpy(counts), torch.from_numpy(factor)
    net = _Dca(counts.shape[1])
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(counts)))
    valid, train = order[:len(counts) // 10], order[len(counts) // 10:]
    opt = torch.optim.RMSprop([p for p in net.all.parameters() if p.requires_grad], lr=1e-3, alpha=0.9, eps=1e-7)
    slow = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.1, patience=10)
    best, since = np.inf, 0
    for _ in range(epochs):
        net.all.train()
        for rows in train[torch.randperm(len(train))].split(32):
            _, mean, theta = net(z[rows])
            opt.zero_grad()
            _nb_loss(y[rows], mean * factor[rows], theta).backward()
            torch.nn.utils.clip_grad_value_(net.all.parameters(), 5)
            opt.step()
        net.all.eval()
        with torch.no_grad():
            _, mean, theta = net(z[valid])
            loss = float(_nb_loss(y[valid], mean * factor[valid], theta))
        slow.step(loss)
        best, since = (loss, 0) if loss < best else (best, since + 1)
        if since >= 15:
            break
    with torch.no_grad():
        latent, mean, _ = net(z)
    out = np.zeros(seen.shape)
    out[:, kept] = (mean * factor).numpy()
    return {"prediction": out, "latent": latent.numpy()}


PEERS = {"gene means": gene_means, "dca": dca, "scvi": scvi, "magic": magic}
PEERS.update({"nmf %d" % k: poisson_nmf(k) for k in (4, 8, 12, 20, 30, 50)})
PEERS.update({"knn %d" % k: knn_smoothing(k) for k in (10, 30, 100)})
PEERS.update({"knn %d mixed" % k: mixed(knn_smoothing(k), 0.1) for k in (10, 30, 100)})
PEERS["magic mixed"] = mixed(magic, 0.1)
