// Error maps: the difference of two pictures, amplified. Pure functions of pixels.

const GAINS = [1, 2, 4, 8, 16, 32];
// Y of BT.601 in studio range, as the PSNR and SSIM of the table use it
const LUMA = [65.481 / 255, 128.553 / 255, 24.966 / 255];

/**
 * What the map shows of picture - reference, rounded and held to 0..255: signed 128 + gain * difference, absolute
 * gain * |difference|; of Y in grey, or of R, G and B each.
 *
 * @param {Uint8ClampedArray} reference RGBA
 * @param {Uint8ClampedArray} picture RGBA
 * @param {Uint8ClampedArray} out RGBA; writing to it rounds and limits
 * @param {{signed: boolean, plane: "y" | "rgb", gain: number}} options
 */
function errorMap(reference, picture, out, options) {
  const shown = options.signed
    ? (difference) => 128 + options.gain * difference
    : (difference) => options.gain * Math.abs(difference);
  const rgb = options.plane === "rgb";
  for (let i = 0; i < out.length; i += 4) {
    const red = picture[i] - reference[i];
    const green = picture[i + 1] - reference[i + 1];
    const blue = picture[i + 2] - reference[i + 2];
    if (rgb) {
      out[i] = shown(red);
      out[i + 1] = shown(green);
      out[i + 2] = shown(blue);
    } else {
      out[i] = out[i + 1] = out[i + 2] = shown(LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue);
    }
    out[i + 3] = 255;
  }
}
