// Drawing into a canvas: only what is seen, on the pixel grid of the device. From 100 % on every pixel is a square;
// below, several share one of the device, which shows their mean: one of them alone would show patterns of its own.

/** Empties a canvas. Around the pictures it is transparent, and shows the grey of the page. */
function clearCanvas(context) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.imageSmoothingEnabled = false;
}

/** Draws the visible part of a bitmap. */
function drawPicture(context, bitmap, place, frame) {
  const part = visiblePixels(bitmap, place, frame);
  if (!part) return;
  context.imageSmoothingEnabled = place.step < 1;
  context.imageSmoothingQuality = "high";
  const [left, top] = [place.left + part.x * place.step, place.top + part.y * place.step];
  context.drawImage(
    bitmap, part.x, part.y, part.width, part.height, left, top, part.width * place.step, part.height * place.step,
  );
}

/** Draws the visible part of the error map of `picture` against `reference`, both of one size. */
class ErrorDrawing {
  constructor() {
    this.scratch = new Scratch();
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
  }

  draw(context, reference, picture, place, frame, options) {
    const part = visiblePixels(picture, place, frame);
    if (!part) return;
    const left = place.left + part.x * place.step;
    const top = place.top + part.y * place.step;
    // Enlarged: one value per picture pixel, enlarged afterwards. Reduced: one per device pixel, of one of its pixels,
    // since in a mean errors of both signs would be gone.
    const scale = Math.min(1, place.step);
    const width = Math.max(1, Math.round(part.width * scale));
    const height = Math.max(1, Math.round(part.height * scale));
    const out = new ImageData(width, height);
    const expected = this.scratch.read(reference, part, width, height);
    const found = this.scratch.read(picture, part, width, height);
    errorMap(expected.data, found.data, out.data, options);
    if (this.canvas.width < width || this.canvas.height < height) {
      this.canvas.width = Math.max(this.canvas.width, width);
      this.canvas.height = Math.max(this.canvas.height, height);
    }
    this.context.putImageData(out, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(
      this.canvas, 0, 0, width, height, left, top, part.width * place.step, part.height * place.step,
    );
  }

  /** The whole map as a PNG, with a pixel for each of the picture. */
  png(reference, picture, options) {
    const whole = make("canvas", { width: picture.width, height: picture.height });
    this.draw(whole.getContext("2d"), reference, picture, { left: 0, top: 0, step: 1 }, whole, options);
    return new Promise((resolve) => whole.toBlob(resolve, "image/png"));
  }
}
