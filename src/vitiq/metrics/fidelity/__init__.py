"""Metrics of pixel fidelity: MSE, PSNR, SSIM, MS-SSIM."""
