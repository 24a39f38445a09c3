//! Which parts of an example speak for a class.

use super::Session;
use super::session::{Compiled, bad};
use crate::autograd::backward;
use crate::backend::{Backend, Feed};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::nn::{self, Built};
use crate::plan::Mode;
use crate::tensor::Meta;

asked! {
    /// How to attribute a class's score to the input. z is the class's logit (the output where the model ends in neither softmax nor
    /// sigmoid); of a single logit class 1 has z and class 0 has −z.
    #[derive(Copy, Eq)]
    pub enum Method {
        /// |∂z/∂x| (Simonyan et al., 2013).
        Saliency,
        /// x · ∂z/∂x.
        InputGradient,
        /// x · mean of ∂z/∂x at αx for 50 α, the middles of equal parts of [0, 1] (Sundararajan et al., 2017): the baseline is 0.
        IntegratedGradients,
        /// max(0, Σ_c w_c A_c) over the maps A of a layer's output, w_c being the mean of ∂z/∂A_c (Selvaraju et al., 2017).
        GradCam,
        /// How far the class's probability falls when a window is set to 0: for each pixel the mean over the windows that cover it
        /// (Zeiler and Fergus, 2014; averaged as in Captum). The windows start every `stride` cells; the last ones are cut at the border.
        Occlusion,
    }

    /// What to attribute, and how.
    pub struct AttributeOptions {
        /// How.
        pub method: Method,
        /// The class, or for other tasks the output.
        pub class: usize,
        /// Grad-CAM's layer; without it the last one whose output is maps of more than one cell.
        pub layer: Option<String>,
        /// Side of occlusion's window, by default 4.
        pub window: Option<usize>,
        /// Cells from one window to the next, by default half a window; at most a window.
        pub stride: Option<usize>,
    }
}

wire! {
    /// What the input's parts contribute. Buffer: the values.
    pub struct Attribution {
        /// Of the values: the input's shape, `[height, width]` of Grad-CAM's layer, or `[height, width]` of the image for occlusion.
        pub shape: Vec<usize>,
        /// What was attributed: the class's logit; for occlusion its probability.
        pub score: f32,
        /// Integrated gradients: the logit at the baseline.
        pub baseline: Option<f32>,
        /// Integrated gradients: the sum of the attributions less the difference of the two logits. It tends to 0 with ever more steps.
        pub gap: Option<f32>,
        /// Grad-CAM: the layer.
        pub layer: Option<String>,
    }
}

/// Steps of integrated gradients.
const STEPS: usize = 50;
/// Examples of its batches: with the two ends there are 52.
const BATCH: usize = 13;

/// Which output is asked for, and its sign.
#[derive(Clone, Copy)]
struct Pick {
    output: usize,
    sign: f32,
}

/// A forward plan with the gradient of a picked logit with respect to one node.
struct Probe<B: Backend> {
    compiled: Compiled<B>,
    at: NodeId,
    gradient: Option<NodeId>,
    pick: Pick,
}

/// What a probe found: the picked logit of each example, the value of the node, its gradient.
struct Found {
    logits: Vec<f32>,
    value: Vec<f32>,
    gradient: Vec<f32>,
}

impl<B: Backend> Session<B> {
    /// What the parts of one example contribute to a class, at the present parameters.
    pub async fn attribute(&mut self, x: &[f32], options: &AttributeOptions) -> Result<(Attribution, Vec<f32>)> {
        if self.settings.model.reads_tokens() {
            let reason = "tokens are names, which nothing can be added to";
            return Err(Error::new(ErrorCode::WrongState, &[("what", &"attribute"), ("reason", &reason)]));
        }
        let input = self.settings.model.input.clone();
        let width: usize = input.iter().product();
        if x.len() != width {
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &"attribute"), ("expected", &width), ("got", &x.len())]));
        }
        let pick = self.pick(options.class)?;
        let plain = |shape: Vec<usize>, score: f32| Attribution { shape, score, baseline: None, gap: None, layer: None };
        match options.method {
            Method::Saliency | Method::InputGradient => {
                let mut probe = self.probe(1, pick, |built| Ok(built.x)).await?;
                let found = self.ask(&mut probe, x).await?;
                let value = |(x, slope): (&f32, &f32)| if options.method == Method::Saliency { slope.abs() } else { x * slope };
                Ok((plain(input, found.logits[0]), x.iter().zip(&found.gradient).map(value).collect()))
            }
            Method::IntegratedGradients => self.integrate(x, input, pick).await,
            Method::GradCam => self.grad_cam(x, pick, options.layer.as_deref()).await,
            Method::Occlusion => {
                let window = options.window.unwrap_or(4);
                let stride = options.stride.unwrap_or(window.div_ceil(2));
                let (score, shape, values) = self.occlude(x, pick, window, stride).await?;
                Ok((plain(shape, score), values))
            }
        }
    }

    fn pick(&self, class: usize) -> Result<Pick> {
        let Some(compiled) = self.training() else { return Ok(Pick { output: class, sign: 1.0 }) };
        let outputs: usize = compiled.built.graph.shape(compiled.built.output)[1..].iter().product();
        let classes = self.classes(&compiled.built).max(outputs);
        if class >= classes {
            return Err(bad("class", &format!("less than {classes}"), &class));
        }
        Ok(match (outputs, classes) {
            (1, 2) => Pick { output: 0, sign: if class == 1 { 1.0 } else { -1.0 } },
            _ => Pick { output: class, sign: 1.0 },
        })
    }

    async fn probe(&mut self, batch: usize, pick: Pick, at: impl Fn(&Built) -> Result<NodeId>) -> Result<Probe<B>> {
        let mut built = self.settings.forward(batch, None)?;
        let at = at(&built)?;
        let shape = built.graph.shape(built.logits).clone();
        let axes: Vec<usize> = (0..shape.rank()).collect();
        // Examples do not meet on the way, so that the gradient of the batch's sum holds each one's own.
        let picked = built.graph.input(1, Meta::f32(shape));
        let picked = built.graph.mul(built.logits, picked)?;
        let score = built.graph.sum(picked, &axes, false)?;
        let gradient = backward(&mut built.graph, score, &[at])?.into_iter().next().flatten();
        let keep: Vec<NodeId> = [built.logits, at].into_iter().chain(gradient).collect();
        let compiled = self.compile(built, Mode::Train, &keep, &[]).await?;
        Ok(Probe { compiled, at, gradient, pick })
    }

    async fn ask(&mut self, probe: &mut Probe<B>, x: &[f32]) -> Result<Found> {
        let Probe { compiled, at, gradient, pick } = probe;
        let shape = compiled.built.graph.shape(compiled.built.logits).clone();
        let outputs = shape[1..].iter().product::<usize>().max(1);
        let picks: Vec<f32> = (0..shape.numel()).map(|k| if k % outputs == pick.output { pick.sign } else { 0.0 }).collect();
        let data = self.step_data(&compiled.built, Feed::Kept);
        self.backend.write_input(&mut compiled.exec, 0, x)?;
        self.backend.write_input(&mut compiled.exec, 1, &picks)?;
        self.backend.run(&mut compiled.exec, &data, 0..compiled.plan.steps.len())?;
        let logits = self.value_of(compiled, &data, compiled.built.logits).await?;
        let value = self.value_of(compiled, &data, *at).await?;
        let gradient = match gradient {
            Some(gradient) => self.value_of(compiled, &data, *gradient).await?,
            None => vec![0.0; value.len()],
        };
        Ok(Found { logits: logits.chunks_exact(outputs).map(|row| pick.sign * row[pick.output]).collect(), value, gradient })
    }

    async fn integrate(&mut self, x: &[f32], shape: Vec<usize>, pick: Pick) -> Result<(Attribution, Vec<f32>)> {
        let mut probe = self.probe(BATCH, pick, |built| Ok(built.x)).await?;
        let middles = (0..STEPS).map(|step| (step as f32 + 0.5) / STEPS as f32);
        let alphas: Vec<f32> = [0.0, 1.0].into_iter().chain(middles).collect();
        let (mut logits, mut sums) = (Vec::new(), vec![0.0f64; x.len()]);
        for (batch, alphas) in alphas.chunks_exact(BATCH).enumerate() {
            let scaled: Vec<f32> = alphas.iter().flat_map(|alpha| x.iter().map(move |x| alpha * x)).collect();
            let found = self.ask(&mut probe, &scaled).await?;
            let ends = if batch == 0 { 2 } else { 0 };
            for slopes in found.gradient.chunks_exact(x.len()).skip(ends) {
                sums.iter_mut().zip(slopes).for_each(|(sum, &slope)| *sum += f64::from(slope));
            }
            logits.extend(found.logits.into_iter().take(ends));
        }
        let parts: Vec<f64> = sums.iter().zip(x).map(|(sum, &x)| f64::from(x) * sum / STEPS as f64).collect();
        let (baseline, score) = (logits[0], logits[1]);
        let gap = parts.iter().sum::<f64>() - (f64::from(score) - f64::from(baseline));
        let attribution = Attribution { shape, score, baseline: Some(baseline), gap: Some(gap as f32), layer: None };
        Ok((attribution, parts.into_iter().map(|part| part as f32).collect()))
    }

    async fn grad_cam(&mut self, x: &[f32], pick: Pick, layer: Option<&str>) -> Result<(Attribution, Vec<f32>)> {
        let mut probe = self.probe(1, pick, |built| Ok(built.layers[maps(built, layer)?].output)).await?;
        let found = self.ask(&mut probe, x).await?;
        let chosen = &probe.compiled.built.layers[maps(&probe.compiled.built, layer)?];
        let channels = chosen.output_shape[2];
        let cells = found.value.len() / channels.max(1);
        let weights: Vec<f32> =
            (0..channels).map(|channel| found.gradient.iter().skip(channel).step_by(channels).sum::<f32>() / cells as f32).collect();
        let cell = |maps: &[f32]| maps.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f32>().max(0.0);
        let shape = chosen.output_shape[..2].to_vec();
        let attribution = Attribution { shape, score: found.logits[0], baseline: None, gap: None, layer: Some(chosen.name.clone()) };
        Ok((attribution, found.value.chunks_exact(channels.max(1)).map(cell).collect()))
    }

    /// The class's probability, the image's `[height, width]`, and how far the probability falls.
    async fn occlude(&mut self, x: &[f32], pick: Pick, window: usize, stride: usize) -> Result<(f32, Vec<usize>, Vec<f32>)> {
        // What is no image is one row of cells.
        let (height, width, channels) = match self.settings.model.input[..] {
            [height, width, channels] => (height, width, channels),
            _ => (1, x.len(), 1),
        };
        let most = height.max(width);
        if window == 0 || window > most {
            return Err(bad("window", &format!("between 1 and {most}"), &window));
        }
        if stride == 0 || stride > window {
            return Err(bad("stride", &format!("between 1 and {window}"), &stride));
        }
        let corners: Vec<(usize, usize)> =
            (0..height).step_by(stride).flat_map(|row| (0..width).step_by(stride).map(move |column| (row, column))).collect();
        let covered = |&(row, column): &(usize, usize)| {
            let columns = column..(column + window).min(width);
            (row..(row + window).min(height)).flat_map(move |row| columns.clone().map(move |column| row * width + column))
        };
        let score = self.scores(x, pick).await?[0];
        let (mut falls, mut counts) = (vec![0.0f32; height * width], vec![0.0f32; height * width]);
        for some in corners.chunks(self.evaluation_batch()) {
            let mut occluded = x.repeat(some.len());
            for (example, corner) in occluded.chunks_exact_mut(x.len()).zip(some) {
                covered(corner).for_each(|cell| example[cell * channels..(cell + 1) * channels].fill(0.0));
            }
            for (corner, left) in some.iter().zip(self.scores(&occluded, pick).await?) {
                covered(corner).for_each(|cell| (falls[cell], counts[cell]) = (falls[cell] + score - left, counts[cell] + 1.0));
            }
        }
        falls.iter_mut().zip(counts).for_each(|(fall, count)| *fall /= count);
        Ok((score, vec![height, width], falls))
    }

    /// The picked output of each example; of a single probability class 0 has the rest of it.
    async fn scores(&mut self, x: &[f32], pick: Pick) -> Result<Vec<f32>> {
        let outputs = self.predict(x).await?;
        let rest = if pick.sign < 0.0 && !self.settings.loss.from_logits() { 1.0 } else { 0.0 };
        let width = outputs.len() * self.settings.model.input.iter().product::<usize>() / x.len();
        Ok(outputs.chunks_exact(width.max(1)).map(|row| rest + pick.sign * row[pick.output]).collect())
    }
}

/// Position of the layer of that name, or of the last one, whose output is maps `[H, W, C]` of more than one cell.
fn maps(built: &Built, name: Option<&str>) -> Result<usize> {
    let fits = |layer: &nn::BuiltLayer| layer.output_shape.len() == 3 && layer.output_shape[..2].iter().product::<usize>() > 1;
    let wanted = |layer: &nn::BuiltLayer| fits(layer) && name.is_none_or(|name| layer.name == name);
    let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"layer with maps"), ("got", &name.unwrap_or("any"))]);
    built.layers.iter().rposition(wanted).ok_or_else(missing)
}
