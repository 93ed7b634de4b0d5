"""What `import vitiq` offers, thin over the packages below it; the names are exported by `vitiq` itself."""
