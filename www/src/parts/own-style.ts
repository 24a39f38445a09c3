import style from "../../styles/own-data.css";
import { adopt } from "../lib/style.js";

adopt(style);
