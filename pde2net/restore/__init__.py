"""Pictures in, pictures out: denoising, inpainting and enhancement in one line each."""
