//! What plans need of a backend beside its kernels, each as a check that compares the GPU with the CPU.
