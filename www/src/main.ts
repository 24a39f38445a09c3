import { applySettings } from "./state/settings.js";
import { describeWhileEditing, start } from "./state/engine.js";
import { watchSelection } from "./state/pictures.js";
import { forgetWithSession } from "./state/looking.js";
import { followAddress } from "./state/route.js";
import { bindKeys } from "./keys.js";
import "./parts/app.js";

applySettings();
bindKeys();
describeWhileEditing();
watchSelection();
forgetWithSession();
start().then(followAddress, () => undefined);
