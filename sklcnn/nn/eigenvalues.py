"""Largest eigenvalues and trace of whatever multiplies a vector by a symmetric matrix."""

from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Eigenpairs", "TraceEstimate", "estimate_trace", "lanczos"]

# Vectors that are held at most, unless many eigenvalues are wanted; then the search restarts.
N_VECTORS = 64
# A matrix of at most so many rows is written out.
N_DENSE = 32
# Share of noise in a warm start: without it the search stays where an eigenvector has led it, even
# if that is no longer the one of the largest eigenvalue.
NOISE = 0.1
# Blocks before a warm start may count as converged: a larger eigenvalue that only the noise knows
# of needs some to show (with five, one that was larger by 1 % was still missed in simulations).
MIN_BLOCKS = 8


@dataclass(frozen=True)
class Eigenpairs:
    """The largest eigenvalues of a symmetric matrix, with their sign, the largest first."""

    eigenvalues: np.ndarray  # (k,), float64
    residuals: np.ndarray  # (k,), norm of A v - eigenvalue * v; an eigenvalue is at most so far off
    vectors: torch.Tensor  # (k, size), of norm one
    n_products: int  # of the matrix with a vector
    converged: bool  # whether all residuals are within the tolerance


@dataclass(frozen=True)
class TraceEstimate:
    """A trace estimated from random vectors.

    Attributes
    ----------
    value : float
        The mean over the draws.
    standard_error : float
        Of the value; NaN for a single draw.
    n_draws : int
        Random vectors, each of them one product.

    Examples
    --------
    >>> from sklcnn.nn.eigenvalues import TraceEstimate
    >>> TraceEstimate(value=10.2, standard_error=0.3, n_draws=30).value
    10.2
    """

    value: float
    standard_error: float
    n_draws: int


def lanczos(
    matvec,
    size,
    *,
    k=1,
    tol=1e-3,
    max_products=300,
    start=None,
    generator=None,
    dtype=torch.float64,
    device="cpu",
):
    """Return the k algebraically largest eigenvalues of a symmetric matrix.

    A block Lanczos iteration with full reorthogonalisation: a basis grows by the images of its
    last *k* vectors, and the matrix is diagonalised on it. A block of *k* finds eigenvalues of
    multiplicity up to *k*. A basis that has grown too large shrinks to its best half [1]_.

    Parameters
    ----------
    matvec : callable
        Takes a Tensor of shape (size,) and returns its product with the matrix.
    size : int
        Rows of the matrix. A matrix of a few rows is written out, whatever ``max_products``.
    k : int, default=1
        Eigenvalues, at most ``size``.
    tol : float, default=1e-3
        Largest residual that counts as converged, relative to the largest absolute value of the
        eigenvalues that are returned.
    max_products : int, default=300
        Products after which the search ends in any case.
    start : Tensor of shape (n_vectors, size) or None, default=None
        Eigenvectors of a matrix nearby, at most *k* of them; some noise is added.
    generator : torch.Generator or None, default=None
        Source of the start and of the noise, on the CPU; None is a new one with seed 0.
    dtype : torch.dtype, default=torch.float64
        Of the vectors.
    device : torch.device or str, default="cpu"
        Of the vectors.

    Returns
    -------
    pairs : Eigenpairs
        Eigenvalues, residuals and vectors.

    Raises
    ------
    ValueError
        If a product is not finite.

    Notes
    -----
    The basis has 64 vectors at most, or six times *k*.

    References
    ----------
    .. [1] Stewart, "A Krylov-Schur Algorithm for Large Eigenproblems", SIAM J. Matrix Anal. Appl.
       23(3), 2001.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn.eigenvalues import lanczos
    >>> diagonal = torch.arange(-60.0, 41.0, dtype=torch.float64)
    >>> lanczos(lambda vector: diagonal * vector, 101, k=2, tol=1e-8).eigenvalues.round(6)
    array([40., 39.])
    """
    generator = generator or torch.Generator().manual_seed(0)
    kind = {"dtype": dtype, "device": device}
    if size <= max(N_DENSE, 4 * k):
        return _write_out(matvec, torch.eye(size, **kind), k)
    block = _first_block(start, (k, size), generator, kind)
    # Outside of the basis a whole block must find room.
    capacity = min(max(N_VECTORS, 6 * k), size - k) // k * k
    basis = torch.empty(capacity, size, **kind)
    projected = np.zeros((capacity, capacity))
    filled = n_products = 0
    while True:
        basis[filled : filled + k] = block
        filled += k
        images = _multiply(matvec, block)
        n_products += k
        coefficients, rest = _split(images, basis[:filled])
        _put(projected, coefficients.double().cpu().numpy(), filled)
        block, coupling = _next_block(rest, images, basis[:filled], generator)
        values, turns = np.linalg.eigh(projected[:filled, :filled])
        values, turns = values[::-1], turns[:, ::-1]  # the largest first
        residuals = np.linalg.norm(turns[-k:, :k].T @ coupling.double().cpu().numpy(), axis=1)
        ripe = start is None or n_products >= k * MIN_BLOCKS
        converged = ripe and _is_small(residuals, values, k, tol, dtype)
        if converged or n_products + k > max_products:
            vectors = _turn(turns[:, :k], basis[:filled])
            return Eigenpairs(values[:k].copy(), residuals, vectors, n_products, converged)
        if filled == capacity:
            filled = max(k, capacity // k // 2 * k)
            basis[:filled] = _turn(turns[:, :filled], basis)
            projected[:] = 0
            projected[range(filled), range(filled)] = values[:filled]


def estimate_trace(matvec, size, *, n_draws=30, generator=None, dtype=torch.float64, device="cpu"):
    """Estimate the trace of a symmetric matrix from its products with random signs.

    For a vector *s* of independent signs :math:`E[s^T A s] = \\mathrm{tr} A`, as the products of
    two different signs have mean zero [1]_. The variance is twice the sum of the squares off the
    diagonal.

    Parameters
    ----------
    matvec : callable
        Takes a Tensor of shape (size,) and returns its product with the matrix.
    size : int
        Rows of the matrix.
    n_draws : int, default=30
        Random vectors, each of them one product.
    generator : torch.Generator or None, default=None
        Source of the signs, on the CPU; None is a new one with seed 0.
    dtype : torch.dtype, default=torch.float64
        Of the vectors.
    device : torch.device or str, default="cpu"
        Of the vectors.

    Returns
    -------
    trace : TraceEstimate
        The mean over the draws, and its standard error.

    Raises
    ------
    ValueError
        If a product is not finite.

    References
    ----------
    .. [1] Hutchinson, "A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian
       Smoothing Splines", Communications in Statistics 19(2), 1990.

    Examples
    --------
    >>> import torch
    >>> from sklcnn.nn.eigenvalues import estimate_trace
    >>> diagonal = torch.arange(5.0, dtype=torch.float64)
    >>> estimate_trace(lambda vector: diagonal * vector, 5, n_draws=3)
    TraceEstimate(value=10.0, standard_error=0.0, n_draws=3)
    """
    generator = generator or torch.Generator().manual_seed(0)
    draws = np.empty(n_draws)
    for draw in range(n_draws):
        signs = torch.randint(2, (1, size), generator=generator) * 2 - 1
        signs = signs.to(dtype=dtype, device=device)
        draws[draw] = torch.sum(signs * _multiply(matvec, signs)).item()
    deviation = draws.std(ddof=1) if n_draws > 1 else np.nan
    return TraceEstimate(float(draws.mean()), float(deviation / np.sqrt(n_draws)), n_draws)


def _write_out(matvec, identity, k):
    """Diagonalise a small matrix, all of whose columns are asked for."""
    matrix = _multiply(matvec, identity).double()
    matrix = (matrix + matrix.T) / 2
    values, vectors = torch.linalg.eigh(matrix)
    values, vectors = values.flip(0)[:k], vectors.T.flip(0)[:k]
    residuals = torch.linalg.norm(vectors @ matrix - values[:, None] * vectors, dim=1)
    arrays = (part.cpu().numpy() for part in (values, residuals))
    return Eigenpairs(*arrays, vectors.to(identity.dtype), len(identity), True)


def _multiply(matvec, vectors):
    """Multiply rows, (n_vectors, size), one after the other."""
    images = torch.stack([matvec(vector) for vector in vectors])
    if not torch.isfinite(images).all():
        raise ValueError("matvec returned a product that is not finite.")
    return images


def _first_block(start, shape, generator, kind):
    """Return orthonormal rows, (k, size): random ones, or a warm start and some noise."""
    block = _noise(shape, generator, kind)
    if start is not None:
        start = start.to(**kind)
        block *= NOISE * shape[1] ** -0.5
        block[: len(start)] += start / torch.linalg.norm(start, dim=1, keepdim=True)
    return torch.linalg.qr(block.T).Q.T


def _noise(shape, generator, kind):
    # Drawn in float64 on the CPU, so that dtype and device do not change the search.
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(**kind)


def _split(images, basis):
    """Split rows into their coefficients on the basis, (k, n_basis), and what is orthogonal."""
    coefficients = images @ basis.T
    rest = images - coefficients @ basis
    correction = rest @ basis.T  # twice is enough
    return coefficients + correction, rest - correction @ basis


def _put(projected, coefficients, filled):
    """Write the last block of rows, (k, filled), and by symmetry of columns."""
    begin = filled - len(coefficients)
    own = coefficients[:, begin:]
    coefficients[:, begin:] = (own + own.T) / 2
    projected[begin:filled, :filled] = coefficients
    projected[:filled, begin:filled] = coefficients.T


def _next_block(rest, images, basis, generator):
    """Return orthonormal rows, (k, size), and the factor that makes the rest of them, (k, k).

    Noise below rounding gives a direction to rows of which nothing is left: the basis is then
    closed under the matrix, and goes on with what it has not seen.
    """
    limits = torch.finfo(rest.dtype)
    size = limits.eps * torch.linalg.norm(images, dim=1, keepdim=True) + limits.tiny**0.5
    noise = _noise(rest.shape, generator, {"dtype": rest.dtype, "device": rest.device})
    _, outside = _split(rest + noise * size / rest.shape[1] ** 0.5, basis)
    lengths = torch.linalg.norm(outside, dim=1, keepdim=True)
    block = torch.linalg.qr((outside / lengths).T).Q.T
    _, block = _split(block, basis)
    block = torch.linalg.qr(block.T).Q.T
    return block, rest @ block.T


def _is_small(residuals, values, k, tol, dtype):
    """Whether residuals are within the tolerance, or within the rounding of the products."""
    rounding = 100 * torch.finfo(dtype).eps * np.abs(values).max()
    return bool(residuals.max() <= max(tol * np.abs(values[:k]).max(), rounding))


def _turn(turns, basis):
    """Combine the vectors of a basis, (n_basis, size), into (n_turns, size)."""
    return torch.from_numpy(turns.T.copy()).to(basis) @ basis
