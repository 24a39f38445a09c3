//! Pipelines, each compiled once, and the dispatches that use them.

use std::cell::RefCell;
use std::collections::HashMap;

use super::device::{Context, describe};
use super::source::{Binding, Resource, Shader};
use crate::error::{Error, ErrorCode, Result};

/// Pipelines that are kept; beyond it all are forgotten (what is in use stays alive).
const MOST_PIPELINES: usize = 2000;

/// A pipeline with what it is bound to.
pub(super) struct Kernel {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    bindings: Vec<Binding>,
    grid: [u32; 3],
    /// Once its buffers exist.
    pub bound: Option<wgpu::BindGroup>,
}

impl Kernel {
    /// A bind group of the buffers that `resolve` gives.
    pub fn group<'a>(&self, context: &Context, resolve: impl Fn(Resource) -> Result<wgpu::BindingResource<'a>>) -> Result<wgpu::BindGroup> {
        let entries = self
            .bindings
            .iter()
            .enumerate()
            .map(|(number, binding)| Ok(wgpu::BindGroupEntry { binding: number as u32, resource: resolve(binding.resource)? }));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &self.layout, entries: &entries };
        Ok(context.device.create_bind_group(&descriptor))
    }

    pub fn dispatch(&self, pass: &mut wgpu::ComputePass) {
        let [x, y, z] = self.grid;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bound, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// The pipelines of a device, by their text, and their layouts, by which bindings are writable.
#[derive(Default)]
pub(super) struct Kernels {
    pipelines: RefCell<HashMap<String, wgpu::ComputePipeline>>,
    layouts: RefCell<HashMap<Vec<bool>, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>>,
}

impl Kernels {
    /// How many pipelines there are.
    pub fn len(&self) -> usize {
        self.pipelines.borrow().len()
    }

    /// Kernels of these modules, each with its name; an error names the first that the GPU refuses.
    pub async fn build(&self, context: &Context, shaders: Vec<(String, Shader)>) -> Result<Vec<Kernel>> {
        let mut kernels = Vec::with_capacity(shaders.len());
        let mut outcomes = Vec::new();
        for (name, shader) in shaders {
            let most = context.limits.max_storage_buffers_per_shader_stage as usize;
            if shader.bindings.len() > most {
                let reason = format!("it needs {} buffers, and the device allows {most}", shader.bindings.len());
                return Err(Error::new(ErrorCode::Gpu, &[("what", &name), ("reason", &reason)]).at(name));
            }
            let known = self.pipelines.borrow().contains_key(&shader.code);
            let scope = (!known).then(|| context.device.push_error_scope(wgpu::ErrorFilter::Validation));
            let code = shader.code.clone();
            kernels.push(self.kernel(context, &name, shader));
            if let Some(scope) = scope {
                outcomes.push((name, code, scope.pop()));
            }
        }
        let mut first = Ok(());
        for (name, code, outcome) in outcomes {
            if let Some(error) = outcome.await {
                self.pipelines.borrow_mut().remove(&code);
                first = first.and(Err(describe(&error, &name, 0).at(name)));
            }
        }
        first.map(|()| kernels)
    }

    /// The kernel of one module.
    pub fn kernel(&self, context: &Context, name: &str, shader: Shader) -> Kernel {
        let writable: Vec<bool> = shader.bindings.iter().map(|binding| binding.writable).collect();
        let mut layouts = self.layouts.borrow_mut();
        let (layout, pipeline_layout) = layouts.entry(writable).or_insert_with_key(|writable| layout(context, writable));
        let mut pipelines = self.pipelines.borrow_mut();
        if pipelines.len() >= MOST_PIPELINES {
            pipelines.clear();
        }
        let pipeline = match pipelines.get(&shader.code) {
            Some(pipeline) => pipeline.clone(),
            None => {
                let text = wgpu::ShaderSource::Wgsl(shader.code.as_str().into());
                let module = context.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source: text });
                let pipeline = context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some(name),
                    layout: Some(pipeline_layout),
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    cache: None,
                });
                pipelines.insert(shader.code, pipeline.clone());
                pipeline
            }
        };
        Kernel { pipeline, layout: layout.clone(), bindings: shader.bindings, grid: shader.grid, bound: None }
    }
}

fn layout(context: &Context, writable: &[bool]) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    let entries: Vec<wgpu::BindGroupLayoutEntry> = writable
        .iter()
        .enumerate()
        .map(|(number, &writable)| wgpu::BindGroupLayoutEntry {
            binding: number as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: !writable },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let layout = context.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
    let pipeline = context.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    (layout, pipeline)
}
