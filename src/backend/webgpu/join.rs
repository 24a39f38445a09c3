//! Which passes share a dispatch. Passes that do not wait for each other stand side by side in one module: the first workgroups run one, the next ones
//! another. So the gradients of an input, a kernel and a bias, which read the same, are one dispatch, and small ones fill what others leave idle.

use std::fmt::Write as _;

use litemap::LiteMap;

use super::source::{Binding, Resource, Shader, Source, shader};
use crate::error::Result;
use crate::ops::kernel::MAX_GRID;

/// Sets of temporaries that take turns, so that passes in pairs do not wait for each other's.
const TURNS: usize = 4;
/// Kinds of memory that passes write.
const PLACE: u8 = 0;
const TEMP: u8 = 1;

/// What a device allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bindings of a module.
    pub buffers: usize,
    /// Bytes of a workgroup's memory.
    pub shared: usize,
}

/// A pass on its way to a dispatch.
pub(super) struct Item {
    pub name: String,
    /// The step of the plan that it belongs to; none if it keeps metrics.
    pub step: Option<usize>,
    pub source: Source,
}

/// A dispatch.
pub(super) struct Dispatch {
    pub name: String,
    /// The steps that it belongs to.
    pub steps: Vec<usize>,
    pub shader: Shader,
}

impl Dispatch {
    fn of(items: Vec<&Item>, shader: Shader) -> Self {
        let names: Vec<&str> = items.iter().map(|item| &item.name[..]).collect();
        Self { name: names.join(" + "), steps: items.iter().filter_map(|item| item.step).collect(), shader }
    }

    /// One pass alone.
    pub fn alone(item: Item) -> Result<Self> {
        let shader = item.source.clone().alone().map_err(|error| error.at(&item.name))?;
        Ok(Self::of(vec![&item], shader))
    }
}

/// The dispatches of these passes, in an order in which each finds what it reads.
pub(super) fn join(mut items: Vec<Item>, room: Room) -> Result<Vec<Dispatch>> {
    take_turns(&mut items);
    let mut by_level: Vec<Vec<Item>> = Vec::new();
    for (level, item) in levels(&items).into_iter().zip(items) {
        by_level.resize_with(by_level.len().max(level + 1), Vec::new);
        by_level[level].push(item);
    }
    let mut dispatches = Vec::new();
    for mut waiting in by_level {
        while !waiting.is_empty() {
            let mut group: Vec<Item> = vec![waiting.remove(0)];
            let mut shader = group[0].source.clone().alone().map_err(|error| error.at(&group[0].name))?;
            let mut left = Vec::new();
            for item in waiting {
                let sources: Vec<&Source> = group.iter().chain([&item]).map(|item| &item.source).collect();
                match together(&sources, room) {
                    Some(joined) => {
                        shader = joined;
                        group.push(item);
                    }
                    None => left.push(item),
                }
            }
            dispatches.push(Dispatch::of(group.iter().collect(), shader));
            waiting = left;
        }
    }
    Ok(dispatches)
}

/// Gives the temporaries of each step other numbers than those of the last few.
fn take_turns(items: &mut [Item]) {
    let mut turn = 0;
    let mut last = None;
    for item in items {
        let temps: Vec<usize> = item.source.bindings.iter().filter_map(temp).collect();
        if temps.is_empty() {
            continue;
        }
        if last != item.step {
            (turn, last) = ((turn + 1) % TURNS, item.step);
        }
        let mut names = LiteMap::new();
        for binding in &mut item.source.bindings {
            if let Resource::Temp(t, len) = binding.resource {
                let moved = Resource::Temp(t * TURNS + turn, len);
                names.insert(binding.resource.name(0), moved.name(0));
                binding.resource = moved;
            }
        }
        item.source.code = renamed(&item.source.code, &names);
    }
}

fn temp(binding: &Binding) -> Option<usize> {
    match binding.resource {
        Resource::Temp(t, _) => Some(t),
        _ => None,
    }
}

/// For each pass a number above that of all which it waits for: those before it that write what it reads or writes, or read what it writes. Passes of one step
/// write its result together, each some of it.
fn levels(items: &[Item]) -> Vec<usize> {
    /// A use of cells: the first, the one behind the last, the level, whether they are written, the step.
    type Use = (usize, usize, usize, bool, Option<usize>);
    let mut uses: LiteMap<(u8, usize), Vec<Use>> = LiteMap::new();
    let mut levels = Vec::with_capacity(items.len());
    for item in items {
        let own: Vec<_> = item.source.bindings.iter().filter_map(|binding| Some((cells(binding.resource)?, binding.writable))).collect();
        let waits = own.iter().flat_map(|&((memory, first, end), writes)| {
            let before = uses.get(&memory).into_iter().flatten();
            let waits = move |&&(from, to, _, written, step): &&Use| {
                let shared = writes && written && step == item.step && memory.0 == PLACE;
                (writes || written) && from < end && first < to && !shared
            };
            before.filter(waits).map(|&(_, _, level, ..)| level + 1)
        });
        let level = waits.max().unwrap_or(0);
        for ((memory, first, end), writes) in own {
            let used = (first, end, level, writes, item.step);
            match uses.get_mut(&memory) {
                Some(uses) => uses.push(used),
                None => drop(uses.insert(memory, vec![used])),
            }
        }
        levels.push(level);
    }
    levels
}

/// Which memory a resource is, and which of its cells; none for what no pass writes. A ring's cells are another's for each pass that keeps some.
fn cells(resource: Resource) -> Option<((u8, usize), usize, usize)> {
    match resource {
        Resource::Place(place) => Some(((PLACE, place.buffer), place.offset, place.offset + place.len)),
        Resource::Temp(t, len) => Some(((TEMP, t), 0, len)),
        Resource::StepData | Resource::Data(..) | Resource::Ring => None,
    }
}

/// A module in which these run side by side, if there can be one. Threads of those that have barriers stay the workgroups that they are; others are cut into
/// workgroups of any size.
fn together(parts: &[&Source], room: Room) -> Option<Shader> {
    let bound = |part: &Source| part.code.contains("workgroupBarrier");
    let mut sizes: Vec<u32> = parts.iter().filter(|part| bound(part)).map(|part| part.threads).collect();
    if sizes.iter().any(|&size| size != sizes[0]) || parts.iter().map(|part| part.shared).sum::<usize>() > room.shared {
        return None;
    }
    if sizes.is_empty() {
        sizes = parts.iter().map(|part| part.threads).collect();
        sizes.sort_unstable();
    }
    let all = |part: &Source| part.grid.iter().map(|&count| u64::from(count)).product::<u64>();
    let groups = |part: &Source, threads: u32| match bound(part) {
        true => all(part),
        false => (all(part) * u64::from(part.threads)).div_ceil(u64::from(threads)),
    };
    let total = |&size: &u32| parts.iter().map(|part| groups(part, size)).sum::<u64>() <= u64::from(MAX_GRID);
    let threads = sizes.into_iter().find(total)?;

    let mut bindings: Vec<Binding> = Vec::new();
    for binding in parts.iter().flat_map(|part| &part.bindings) {
        match bindings.iter_mut().find(|other| other.resource == binding.resource) {
            Some(known) => known.writable |= binding.writable,
            None => bindings.push(*binding),
        }
    }
    if bindings.len() > room.buffers {
        return None;
    }
    let mut code = String::new();
    let mut entry = String::new();
    let mut first = 0;
    for (k, part) in parts.iter().enumerate() {
        let mut names = LiteMap::new();
        for name in declared(&part.code) {
            names.insert(name.to_owned(), format!("{name}_{k}"));
        }
        for (own, Binding { resource, .. }) in part.bindings.iter().enumerate() {
            let number = bindings.iter().position(|binding| binding.resource == *resource)?;
            names.insert(resource.name(own), resource.name(number));
        }
        code += &renamed(&part.code, &names);
        let [x, y, _] = part.grid;
        let place = |number: &str| match part.grid {
            [_, 1, 1] => format!("vec3u({number}, 0u, 0u)"),
            _ => format!("vec3u({number} % {x}u, {number} / {x}u % {y}u, {number} / {}u)", x * y),
        };
        let own = groups(part, threads);
        let (from, to) = (first, first + own);
        let call = match bound(part) {
            true => format!("let at = group.x - {from}u; run_{k}({}, lane);", place("at")),
            false => {
                let size = part.threads;
                let run = format!("run_{k}({}, at % {size}u);", place(&format!("(at / {size}u)")));
                format!("let at = (group.x - {from}u) * {threads}u + lane; if (at < {}u) {{ {run} }}", all(part) * u64::from(size))
            }
        };
        let _ = writeln!(entry, "    if (group.x >= {from}u && group.x < {to}u) {{ {call} }}");
        first = to;
    }
    shader(code, &entry, bindings, [u32::try_from(first).ok()?, 1, 1], threads).ok()
}

/// The words of a WGSL text with what stands between them; a number is a word.
fn words(code: &str) -> impl Iterator<Item = &str> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = code;
    std::iter::from_fn(move || {
        let is_word = rest.chars().next().map(in_word)?;
        let end = rest.find(|c| in_word(c) != is_word).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        Some(word)
    })
}

/// Names that a module's text declares at its top level.
fn declared(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut keyword) = (0usize, "");
    for word in words(code) {
        match word {
            "fn" | "const" | "var" | "struct" | "alias" if depth == 0 => keyword = word,
            "workgroup" | "private" if keyword == "var" => {}
            _ if word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => {
                if !keyword.is_empty() {
                    found.push(word);
                    keyword = "";
                }
            }
            between => {
                depth += between.matches('{').count();
                depth = depth.saturating_sub(between.matches('}').count());
            }
        }
    }
    found
}

/// The text with some words replaced, but for fields.
fn renamed(code: &str, names: &LiteMap<String, String>) -> String {
    let mut text = String::with_capacity(code.len() + code.len() / 8);
    for word in words(code) {
        let field = text.ends_with('.');
        text += names.get(word).filter(|_| !field).map_or(word, |name| name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Pass;
    use crate::plan::Place;

    /// A pass over 1,000 elements that writes the first 1,000 cells of a buffer, and reads as many of others.
    fn pass(step: usize, reads: &[usize], writes: usize) -> Item {
        let place = |buffer| Resource::Place(Place { buffer, offset: 0, len: 1000 });
        let mut bindings: Vec<Binding> = reads.iter().map(|&buffer| Binding { resource: place(buffer), writable: false }).collect();
        bindings.push(Binding { resource: place(writes), writable: true });
        let sum: Vec<String> = (0..reads.len()).map(|k| format!("memory{k}[i]")).collect();
        let body = Pass::elementwise(1000, &[], &format!("memory{}[i] = {};", reads.len(), sum.join(" + "))).body;
        Item {
            name: format!("pass {step}"),
            step: Some(step),
            source: Source { code: body, bindings, grid: [4, 1, 1], threads: 256, shared: 0 },
        }
    }

    #[test]
    fn who_waits_for_another_comes_later() -> Result<()> {
        let room = Room { buffers: 8, shared: 16_384 };
        let joined =
            |items: Vec<Item>| -> Result<Vec<Vec<usize>>> { Ok(join(items, room)?.into_iter().map(|dispatch| dispatch.steps).collect()) };
        // Two of the same input, one of their results, and one that overwrites the input.
        let items = vec![pass(0, &[0], 1), pass(1, &[0], 2), pass(2, &[1, 2], 3), pass(3, &[3], 0), pass(4, &[5], 4)];
        assert_eq!(joined(items)?, [vec![0, 1, 4], vec![2], vec![3]]);
        // Nine buffers are one too many.
        assert_eq!(joined(vec![pass(0, &[0, 1, 2], 3), pass(1, &[4, 5, 6, 7], 8), pass(2, &[0], 4)])?, [vec![0], vec![1], vec![2]]);
        // Workgroups lie one behind the other, and bind what both read once.
        let dispatches = join(vec![pass(0, &[0], 1), pass(1, &[0], 2)], room)?;
        let [Dispatch { shader, .. }] = &dispatches[..] else { panic!("{} dispatches", dispatches.len()) };
        assert_eq!((shader.grid, shader.bindings.len()), ([8, 1, 1], 3));
        assert!(shader.code.contains("run_0(") && shader.code.contains("group.x >= 4u && group.x < 8u"), "{}", shader.code);
        Ok(())
    }

    #[test]
    fn names_of_the_top_level_are_replaced() {
        let code = "const N = 4u;\nvar<workgroup> tile: array<f32, N>;\nfn run(group: vec3u, lane: u32) {\n    let N2 = N; tile[lane] = v.tile + 1.0e-7f;\n}\n";
        let names = declared(code);
        assert_eq!(names, ["N", "tile", "run"]);
        let names: LiteMap<_, _> = names.into_iter().map(|name| (name.to_owned(), format!("{name}_1"))).collect();
        let expected = "const N_1 = 4u;\nvar<workgroup> tile_1: array<f32, N_1>;\nfn run_1(group: vec3u, lane: u32) {\n    let N2 = N_1; tile_1[lane] = v.tile + 1.0e-7f;\n}\n";
        assert_eq!(renamed(code, &names), expected);
    }
}
