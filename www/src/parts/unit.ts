import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { diverging, palette } from "../lib/palette.js";
import { t } from "../messages/index.js";
import { UNIT, units } from "../state/plane.js";

/** What one unit says all over the plane of the two inputs: its least and most value as the ends of the colours that are symmetric about 0. */
class Unit extends Drawing {
  /** The layer's name, or `"x"`; which of its units. */
  layer = "";
  unit = 0;

  #values(): Float32Array | undefined {
    const all = units.value.get(this.layer);
    const width = (all?.length ?? 0) / (UNIT * UNIT);
    return all && this.unit < width ? Float32Array.from({ length: UNIT * UNIT }, (_, k) => all[k * width + this.unit]!) : undefined;
  }

  protected override reads(): string {
    void palette.value;
    const values = this.#values();
    this.classList.toggle("hatch", !values);
    const name = `${this.layer}[${this.unit}]`;
    const said = values ? t("neurons.unit", { name, least: general(Math.min(...values)), most: general(Math.max(...values)) }) : name;
    this.title = said;
    return said;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const values = this.#values();
    if (!values) return;
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
    const cells = Uint32Array.from(values, (value) => {
      const [r, g, b] = diverging(value / largest);
      return (255 << 24) | (b << 16) | (g << 8) | r;
    });
    context.imageSmoothingEnabled = true;
    context.drawImage(picture(cells, UNIT, UNIT), 0, 0, width, height);
  }
}
customElements.define("gs-unit", Unit);
