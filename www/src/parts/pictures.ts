import { t } from "../messages/index.js";
import { layout, shapeOf } from "../state/cell.js";

/** What a picture is: a channel, or the part of a filter that lies on one. */
export function pictureName(node: number, picture: number): string {
  const inputs = shapeOf(node).at(-2) ?? 1;
  return layout(node).kind === "kernel"
    ? t("cell.window", { filter: Math.floor(picture / inputs), channel: picture % inputs }) : t("cell.channel", { k: picture });
}
