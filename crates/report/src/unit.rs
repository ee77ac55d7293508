//! How numbers with a unit are written for people.

/// `12,345`
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 byte`, `208 bytes`, `9,999 bytes`, then three digits with a binary unit: `1.46 MiB`.
pub fn bytes(n: u64) -> String {
    if n < 10_000 {
        return format!("{} {}", count(n), if n == 1 { "byte" } else { "bytes" });
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = "KiB";
    for next in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value {
        v if v < 9.995 => format!("{v:.2} {unit}"),
        v if v < 99.95 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    }
}

/// `0.031 s`, `2.4 s`, `75 s`; what is below half a millisecond keeps its digits.
pub fn seconds(s: f64) -> String {
    match s.abs() {
        a if !a.is_finite() => "? s".into(),
        0.0 => "0 s".into(),
        a if a < 0.0005 => format!("{s:.6} s"),
        a if a < 1.0 => format!("{s:.3} s"),
        a if a < 10.0 => format!("{s:.1} s"),
        _ => format!("{s:.0} s"),
    }
}

/// `12.3 %`
pub fn share(part: f64) -> String {
    if part.is_finite() { format!("{:.1} %", part * 100.0) } else { "?".into() }
}

/// `0x7f3a5c0012e0`
pub fn address(a: u64) -> String {
    format!("{a:#x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        cases.into_iter().for_each(|(n, text)| assert_eq!(count(n), text));
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_keep_three_digits() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (208, "208 bytes"),
            (9_999, "9,999 bytes"),
            (10_240, "10.0 KiB"),
            (1_023_999, "0.98 MiB"),
            (1 << 20, "1.00 MiB"),
            (1_536 << 20, "1.50 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        cases.into_iter().for_each(|(n, text)| assert_eq!(bytes(n), text));
    }

    #[test]
    fn seconds_never_print_as_nothing() {
        let cases = [(0.0, "0 s"), (0.000012, "0.000012 s"), (0.0312, "0.031 s"), (2.44, "2.4 s"), (75.2, "75 s")];
        cases.into_iter().for_each(|(s, text)| assert_eq!(seconds(s), text));
        assert_eq!(seconds(f64::NAN), "? s");
    }
}
