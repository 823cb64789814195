// The pictures: each PNG is fetched and decoded once, and its numbers reach the canvas unchanged.

const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "none" };

/** Bitmaps by address. A snapshot of the same run brings the same addresses, and nothing is fetched again. */
class Pictures {
  /** @param {() => void} changed called when a picture has come, or failed */
  constructor(changed) {
    this.changed = changed;
    this.entries = new Map();
  }

  /** The bitmap if it is there; asks for it otherwise. */
  get(address) {
    if (!address) return null;
    if (!this.entries.has(address)) this.load(address);
    return this.entries.get(address).bitmap;
  }

  /** Whether a picture could not be fetched or decoded. */
  failed(address) {
    return Boolean(this.entries.get(address)?.failed);
  }

  /** Drop all but these addresses, and try again what failed. */
  keep(addresses) {
    for (const [address, entry] of this.entries) {
      if (addresses.has(address) && !entry.failed) continue;
      entry.bitmap?.close();
      this.entries.delete(address);
    }
  }

  async load(address) {
    const entry = { bitmap: null, failed: false };
    this.entries.set(address, entry);
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`${answer.status}`);
      const bitmap = await createImageBitmap(await answer.blob(), AS_STORED);
      if (this.entries.get(address) !== entry) return bitmap.close(); // dropped in the meantime
      entry.bitmap = bitmap;
    } catch {
      entry.failed = true;
    }
    this.changed();
  }
}

/** A canvas for reading pixels, reused because a new one for every frame is slow. */
class Scratch {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** The part `from` of a bitmap as width x height pixels, each of them one of the bitmap's. */
  read(bitmap, from, width, height) {
    const { canvas, context } = this;
    if (canvas.width < width || canvas.height < height) {
      canvas.width = Math.max(canvas.width, width);
      canvas.height = Math.max(canvas.height, height);
    }
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, width, height);
    context.drawImage(bitmap, from.x, from.y, from.width, from.height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  }

  /** [R, G, B] of one pixel. */
  pixel(bitmap, x, y) {
    return [...this.read(bitmap, { x, y, width: 1, height: 1 }, 1, 1).data.subarray(0, 3)];
  }
}
