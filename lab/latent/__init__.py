"""The Latent x tab: what x is beside its LR picture, and how the flow gets from one to the other."""
