"""What is measured, one module a subject; every module has a function `measure`."""
