//! Instruction sets that the build needs.

/// The first instruction set that this build uses and this processor lacks.
pub(crate) fn missing_feature() -> Option<&'static str> {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        macro_rules! require {
            ($($name:tt),+) => {
                $(if !std::arch::is_x86_feature_detected!($name) {
                    return Some($name);
                })+
            };
        }
        require!("avx2", "bmi1", "bmi2", "fma", "lzcnt", "movbe", "f16c");
    }
    None
}
