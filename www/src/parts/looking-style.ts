import looking from "../../styles/looking.css";
import { adopt } from "../lib/style.js";

adopt(looking);
