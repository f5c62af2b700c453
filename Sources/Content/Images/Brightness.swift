// Bytes of sRGB to amounts of light and back. Averages are taken of light: averages of bytes make fine patterns too dark.

import Glibc

enum Brightness {
    /// Light, 0 to 1, of each byte.
    static let light: [Float] = (0...255).map { byte in
        let value = Float(byte) / 255
        return value <= 0.04045 ? value / 12.92 : powf((value + 0.055) / 1.055, 2.4)
    }

    /// Steps of light that are told apart on the way back: fine enough that every byte comes back as itself.
    private static let steps = 16_383

    private static let bytes: [UInt8] = (0...steps).map { step in
        let light = Float(step) / Float(steps)
        let value = light <= 0.0031308 ? 12.92 * light : 1.055 * powf(light, 1 / 2.4) - 0.055
        return UInt8(min(max(value * 255 + 0.5, 0), 255))
    }

    static func byte(_ light: Float) -> UInt8 {
        bytes[Int(min(max(light, 0), 1) * Float(steps) + 0.5)]
    }

    /// Makes the tables, before the sandbox is closed.
    static func prepare() { _ = (light.count, bytes.count) }
}
