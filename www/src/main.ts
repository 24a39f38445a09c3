import { applySettings } from "./state/settings.js";
import { describeWhileEditing, start } from "./state/engine.js";
import { watchSelection } from "./state/pictures.js";
import { followAddress } from "./state/route.js";
import { watchCell } from "./state/cell.js";
import { watchPredictions } from "./state/predict.js";
import { watchWalk } from "./state/walk.js";
import { bindKeys } from "./keys.js";
import "./parts/app.js";

applySettings();
bindKeys();
describeWhileEditing();
watchSelection();
watchWalk();
watchCell();
watchPredictions();
start().then(followAddress, () => undefined);
