//! The whole state of a session as bytes: a safetensors file with every variable and optimizer slot by name, and the counters as metadata.

use std::collections::{BTreeMap, HashMap};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::Session;
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};
use crate::fields;
use crate::graph::{Group, Variable};

/// State of a session. Restoring it and training on gives the same bits as not having stopped, on the same backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(pub Vec<u8>);

/// Names of the optimizer's slots begin so in the file.
pub(super) const OPTIMIZER: &str = "optimizer.";

/// Key of the counters in the file's metadata.
const STATE: &str = "session";

pub(super) fn unreadable(reason: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::BadFile, &[("file", &"snapshot"), ("format", &"safetensors"), ("reason", &reason.to_string())])
}

/// Numbers from their bytes.
pub(super) fn cells(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// A flat buffer's part of a variable, under the name that it has in the file.
struct Entry {
    name: String,
    group: Group,
    variable: Variable,
}

impl<B: Backend> Session<B> {
    fn entries(&self) -> Vec<Entry> {
        let Some(compiled) = self.training() else { return Vec::new() };
        let slots = self.slots;
        let mut entries = Vec::new();
        for variable in compiled.built.graph.variables() {
            entries.push(Entry { name: variable.name.clone(), group: variable.group, variable: variable.clone() });
            let trained = variable.group == Group::Parameters;
            for slot in (0..slots).filter(|_| trained) {
                let name = format!("{OPTIMIZER}{slot}.{}", variable.name);
                entries.push(Entry { name, group: Group::Slot(slot), variable: variable.clone() });
            }
        }
        entries
    }

    /// The whole state now.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let entries = self.entries();
        let mut flats: HashMap<Group, Vec<f32>> = HashMap::new();
        for entry in &entries {
            if let std::collections::hash_map::Entry::Vacant(vacant) = flats.entry(entry.group) {
                vacant.insert(self.backend.read(entry.group).await?);
            }
        }
        let mut views = Vec::with_capacity(entries.len());
        for entry in &entries {
            let range = entry.variable.offset..entry.variable.offset + entry.variable.shape.numel();
            let cells: &[u8] = bytemuck::cast_slice(&flats[&entry.group][range]);
            let view = TensorView::new(Dtype::F32, entry.variable.shape.to_vec(), cells).map_err(|error| unreadable(&error))?;
            views.push((entry.name.clone(), view));
        }
        let counters = [("step", self.step), ("epoch", self.epoch), ("position", self.position), ("seed", self.settings.seed as usize)];
        let mut state: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in counters {
            state.insert(name.into(), value.to_string());
        }
        state.insert("shuffle".into(), self.shuffle.to_string());
        // One entry, whose own order is fixed: the same state gives the same bytes.
        let state = serde_json::to_string(&state).map_err(|error| unreadable(&error))?;
        safetensors::serialize(views, Some(HashMap::from([(STATE.to_owned(), state)]))).map(Snapshot).map_err(|error| unreadable(&error))
    }

    /// Back to a snapshot of a session of the same model and optimizer; nothing changes if it does not fit.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.take_up(snapshot)?;
        self.history.forget();
        Ok(())
    }

    pub(super) fn take_up(&mut self, snapshot: &Snapshot) -> Result<()> {
        let file = SafeTensors::deserialize(&snapshot.0).map_err(|error| unreadable(&error))?;
        let (_, header) = SafeTensors::read_metadata(&snapshot.0).map_err(|error| unreadable(&error))?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get(STATE));
        let state = state.ok_or_else(|| unreadable(&"it holds no session"))?;
        let metadata: BTreeMap<String, String> = fields::from_json(state, STATE).map_err(|error| unreadable(&error))?;
        let counter = |name: &str| -> Result<usize> {
            let text = metadata.get(name).ok_or_else(|| unreadable(&format!("it has no {name}")))?;
            text.parse().map_err(|_| unreadable(&format!("its {name} is no number")))
        };
        let (step, epoch, position, seed) = (counter("step")?, counter("epoch")?, counter("position")?, counter("seed")?);
        let mut values = Vec::new();
        for entry in self.entries() {
            let tensor = file.tensor(&entry.name).map_err(|error| unreadable(&error))?;
            if tensor.shape() != &entry.variable.shape[..] || tensor.dtype() != Dtype::F32 {
                return Err(unreadable(&format!("{} has shape {:?} instead of {}", entry.name, tensor.shape(), entry.variable.shape)));
            }
            values.push((entry, cells(tensor.data())));
        }
        if position >= self.count(crate::data::Split::Train).max(1) {
            return Err(unreadable(&format!("its position {position} is beyond the data")));
        }
        let seed = u32::try_from(seed).map_err(|error| unreadable(&error))?;
        for (entry, cells) in values {
            self.backend.write(entry.group, entry.variable.offset, &cells)?;
        }
        (self.step, self.epoch, self.position) = (step, epoch, position);
        self.team_is_behind = true;
        self.settings.seed = seed;
        self.forget_order();
        self.shuffle = metadata.get("shuffle").is_none_or(|text| text == "true");
        Ok(())
    }
}
