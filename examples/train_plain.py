"""Trains a network of pde2net in a loop of plain PyTorch, and says what is proved for its weights."""

import sympy as sp
import torch

import pde2net as p2n

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
lam = sp.Symbol("lambda", positive=True)
K = p2n.LinearOperator("K", out_channels=8, kernel_size=5)
problem = p2n.Problem(
    sp.Eq(u.diff(t), -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2))),
    parameters={lam: p2n.learn.noise(K, 0.1, dimension=1)[0]},
)
scheme = p2n.Explicit(tau=None, steps=4)
network = p2n.compile(problem, scheme, trainable=[K, lam], shared=False, keep_stable=True)


def main() -> None:
    torch.manual_seed(0)
    module = network.module()
    clean = p2n.learn.signals(256, 128)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for step in range(150):
        noisy = clean + 0.1 * torch.randn_like(clean)
        loss = torch.nn.functional.mse_loss(module(noisy), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.detach():.5f}")
    certificate = p2n.learn.certify(module)
    print(f"l2 stability of the trained network: {certificate.claims['l2_stability'].status}")


if __name__ == "__main__":
    main()
