import below from "../../styles/special-below.css";
import special from "../../styles/special.css";
import { adopt } from "../lib/style.js";

adopt(special, below);
