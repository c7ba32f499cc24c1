# docker buildx bake -f device/docker-bake.hcl [TARGET...]; every variable can be set in the environment.

variable "IMAGE" {
  default = "edgeseq-agent"
}

variable "VERSION" {
  default = "latest"
}

# The image that a board's image extends: any Debian 12, for the target.
variable "BASE" {
  default = "debian:bookworm-slim"
}

# What the build itself runs in, on the building machine: Python 3.11 with pip, and apt.
variable "BUILD_BASE" {
  default = "python:3.11-slim-bookworm"
}

group "default" {
  targets = ["agent"]
}

group "images" {
  targets = ["agent", "agent-armv7", "agent-onnx", "runner"]
}

target "common" {
  context    = "device"
  dockerfile = "Dockerfile"
  args = {
    BASE       = BASE
    BUILD_BASE = BUILD_BASE
    VERSION    = VERSION
  }
}

# Raspberry Pi Zero 2 W, 3, 4 and 5 with a 64-bit system: LiteRT.
target "agent" {
  inherits  = ["common"]
  platforms = ["linux/arm64"]
  args      = { RUNTIMES = "litert" }
  tags      = ["${IMAGE}:${VERSION}"]
}

# The same with ONNX Runtime beside LiteRT.
target "agent-onnx" {
  inherits  = ["common"]
  platforms = ["linux/arm64"]
  args      = { RUNTIMES = "litert onnxruntime" }
  tags      = ["${IMAGE}:${VERSION}-onnx"]
}

# 32-bit systems: tflite-runtime 2.14 and Debian's numpy; for artifacts of the profile compat.
target "agent-armv7" {
  inherits  = ["common"]
  platforms = ["linux/arm/v7"]
  args      = { RUNTIMES = "litert" }
  tags      = ["${IMAGE}:${VERSION}-armv7"]
}

# edgeseq-run and LiteRT's library for 64-bit systems: no Python, no shell, no base image.
target "runner" {
  inherits  = ["common"]
  target    = "runner"
  platforms = ["linux/arm64"]
  tags      = ["${IMAGE}:${VERSION}-runner"]
}

# The files of it alone, into the folder `runner`, for a board without Docker.
target "runner-files" {
  inherits  = ["runner"]
  target    = "runner-files"
  tags      = []
  output    = ["type=local,dest=runner"]
}

# The architecture of the machine that builds, to try an image on it.
target "host" {
  inherits = ["common"]
  args     = { RUNTIMES = "litert onnxruntime" }
  tags     = ["${IMAGE}:${VERSION}-host"]
}
